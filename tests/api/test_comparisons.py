"""What the API tells of the difference between two states of a workflow, and the history of its versions."""

from typing import Any

import pytest

from tests.api.application import Caller
from tests.api.change_world import UPDATE, branched, run, says
from tests.api.operations import PUBLISH, created, graph

FIELDS = "fields { path kind before after hidden }"
DIFF = f"""{{ identical reordered
  nodesAdded {{ id kind config }} nodesRemoved {{ id }} nodesChanged {{ node {{ id }} {FIELDS} }}
  edgesAdded {{ source target sourceHandle }} edgesRemoved {{ source target }}
  edgesChanged {{ edge {{ source }} {FIELDS} }}
  variables {{ path kind before after hidden }} settings {{ path kind before after }} others {{ path kind after }} }}"""
COMPARE = f"""query ($id: ID!, $from: WorkflowState!, $to: WorkflowState!) {{
  workflowDiff(id: $id, from: $from, to: $to) {DIFF} }}"""
NOTHING: dict[str, Any] = {
    "identical": True,
    "reordered": False,
    **{
        name: []
        for name in (
            "nodesAdded",
            "nodesRemoved",
            "nodesChanged",
            "edgesAdded",
            "edgesRemoved",
            "edgesChanged",
            "variables",
            "settings",
            "others",
        )
    },
}


async def compared(caller: Caller, workflow_id: str, before: dict[str, Any], after: dict[str, Any]) -> Any:
    return (await caller.data(COMPARE, id=workflow_id, **{"from": before, "to": after}))["workflowDiff"]


async def test_a_version_the_draft_and_a_branch_are_compared_either_way(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    await run(developer, PUBLISH, id=workflow_id)
    await run(
        developer,
        UPDATE,
        id=workflow_id,
        input={
            "graph": says("two", more=True),
            "variables": {"a": {"default": 1}},
            "settings": {"timeout": 60},
            "inputSchema": {"type": "object"},
        },
    )
    branch = await branched(developer, workflow_id, graph=says("three", more=True))

    there = await compared(developer, workflow_id, {"version": 1}, {"draft": True})
    of_branch = await compared(developer, workflow_id, {"draft": True}, {"branch": branch})
    same = await compared(developer, workflow_id, {"draft": True}, {"draft": True})
    back = await compared(developer, workflow_id, {"branch": branch}, {"version": 1})

    message = {"path": ["config", "message"], "kind": "CHANGED", "hidden": False}
    assert there == NOTHING | {
        "identical": False,
        "nodesAdded": [{"id": "more", "kind": "log", "config": {"message": "more"}}],
        "nodesChanged": [{"node": {"id": "say"}, "fields": [{**message, "before": "one", "after": "two"}]}],
        "edgesAdded": [{"source": "say", "target": "more", "sourceHandle": "out"}],
        "variables": [{"path": ["a"], "kind": "ADDED", "before": None, "after": {"default": 1}, "hidden": False}],
        "settings": [{"path": ["timeout"], "kind": "ADDED", "before": None, "after": 60.0}],
        "others": [{"path": ["inputSchema"], "kind": "ADDED", "after": {"type": "object"}}],
    }
    assert of_branch == NOTHING | {
        "identical": False,
        "nodesChanged": [{"node": {"id": "say"}, "fields": [{**message, "before": "two", "after": "three"}]}],
    }
    assert same == NOTHING
    assert (back["nodesRemoved"], back["edgesRemoved"]) == (
        [{"id": "more"}],
        [{"source": "say", "target": "more"}],
    )


async def test_a_secret_in_a_draft_is_in_no_difference_and_no_conflict(developer: Caller) -> None:
    def calling(token: str) -> dict[str, Any]:
        config = {"method": "GET", "url": "https://a.example", "headers": {"Authorization": token}}
        return graph({"id": "call", "kind": "http", "config": config})

    workflow_id = await created(developer, calling("hunter2-base"))
    branch = await branched(developer, workflow_id, graph=calling("hunter2-branch"))
    await run(developer, UPDATE, id=workflow_id, input={"graph": calling("hunter2-draft")})

    diff = await compared(developer, workflow_id, {"draft": True}, {"branch": branch})
    conflicts = await developer.data(
        """query ($id: ID!) { branch(id: $id) { conflicts { path base { value } draft { value } branch { value } }
             changes { nodesChanged { fields { before after } } } } }""",
        id=branch,
    )

    assert [each["fields"] for each in diff["nodesChanged"]] == [
        [
            {
                "path": ["config", "headers", "Authorization"],
                "kind": "CHANGED",
                "before": "•••••",
                "after": "•••••",
                "hidden": True,
            }
        ]
    ]
    assert conflicts["branch"]["conflicts"][0]["path"] == ["nodes", "call", "config", "headers", "Authorization"]
    assert "hunter2" not in str((diff, conflicts))


async def test_the_history_says_of_every_version_who_when_why_and_what_changed(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    await run(developer, PUBLISH, id=workflow_id, note="first")
    await run(developer, UPDATE, id=workflow_id, input={"graph": says("two")})
    await run(developer, PUBLISH, id=workflow_id, note="second")
    await run(developer, PUBLISH, id=workflow_id, note="again")

    answer = await developer.data(
        """query ($id: ID!) { viewer { actorId } workflow(id: $id) { versions { nodes {
             number note publishedBy approvedBy createdAt contentHash
             changes { identical nodesChanged { node { id } fields { before after } } } } } } }""",
        id=workflow_id,
    )

    versions = answer["workflow"]["versions"]["nodes"]
    assert [(each["number"], each["note"], each["changes"]) for each in versions] == [
        (3, "again", {"identical": True, "nodesChanged": []}),
        (
            2,
            "second",
            {
                "identical": False,
                "nodesChanged": [{"node": {"id": "say"}, "fields": [{"before": "one", "after": "two"}]}],
            },
        ),
        (1, "first", None),
    ]
    assert {(each["publishedBy"], each["approvedBy"]) for each in versions} == {(answer["viewer"]["actorId"], None)}
    hashes = [each["contentHash"] for each in versions]
    assert hashes[0] == hashes[1] != hashes[2]
    assert [each["createdAt"] for each in versions] == sorted((each["createdAt"] for each in versions), reverse=True)


@pytest.mark.parametrize(
    ("state", "code", "path"),
    [
        ({"version": 9}, "NOT_FOUND", ["from", "version"]),
        ({"branch": "branch_00000000000000000000000000"}, "NOT_FOUND", ["from", "branch"]),
        ({"branch": "workflow_00000000000000000000000000"}, "INVALID_ID", ["from", "branch"]),
        ({"draft": False}, "VALIDATION", ["from", "draft"]),
    ],
)
async def test_a_state_that_is_not_there_is_told_by_its_place(
    developer: Caller, state: dict[str, Any], code: str, path: list[str]
) -> None:
    workflow_id = await created(developer)

    answer = await developer.ask(COMPARE, id=workflow_id, **{"from": state, "to": {"draft": True}})

    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["path"]) == (code, path)


async def test_states_of_other_workflows_and_tenants_are_not_there(developer: Caller, stranger: Caller) -> None:
    workflow_id, other = await created(developer, name="One"), await created(developer, name="Other")
    branch = await branched(developer, other)
    both = {"from": {"draft": True}, "to": {"branch": branch}}

    of_other = await developer.ask(COMPARE, id=workflow_id, **both)
    of_tenant = await stranger.ask(COMPARE, id=other, **both)

    for answer, path in ((of_other, ["to", "branch"]), (of_tenant, ["id"])):
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["extensions"]["path"]) == ("NOT_FOUND", path)
