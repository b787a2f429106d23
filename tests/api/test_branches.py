"""Branches of a draft: made, edited, merged with what others did meanwhile, and who may do that."""

import asyncio
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.change_world import (
    CREATE_BRANCH,
    DELETE_BRANCH,
    MERGE,
    UPDATE,
    UPDATE_BRANCH,
    branched,
    draft,
    run,
    says,
    told,
)
from tests.api.operations import PUBLISH, created, graph

LIST = "query ($id: ID!) { workflow(id: $id) { branches { totalCount nodes { id name fromVersion } } } }"
MISSING = "branch_00000000000000000000000000"


def config(workflow: Any, node: str = "say") -> Any:
    return {each["id"]: each["config"] for each in workflow["graph"]["nodes"]}[node]


async def test_a_branch_begins_at_the_draft_or_at_a_version_and_changes_alone(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    await run(developer, PUBLISH, id=workflow_id)
    await run(developer, UPDATE, id=workflow_id, input={"graph": says("two")})

    of_draft = await run(developer, CREATE_BRANCH, workflow=workflow_id, name="of draft")
    of_version = await run(developer, CREATE_BRANCH, workflow=workflow_id, name="of version", version=1)
    changed = await run(
        developer, UPDATE_BRANCH, id=of_version["branch"]["id"], input={"graph": says("three")}, expected=1
    )

    assert (config(of_draft["branch"]), of_draft["branch"]["fromVersion"]) == ({"message": "two"}, None)
    assert (config(of_version["branch"]), of_version["branch"]["fromVersion"]) == ({"message": "one"}, 1)
    assert (config(changed["branch"]), changed["branch"]["revision"]) == ({"message": "three"}, 2)
    assert config(await draft(developer, workflow_id)) == {"message": "two"}
    listed = await developer.data(LIST, id=workflow_id)
    assert [(each["name"], each["fromVersion"]) for each in listed["workflow"]["branches"]["nodes"]] == [
        ("of version", 1),
        ("of draft", None),
    ]


async def test_a_name_is_taken_once_per_workflow_and_free_again_after_deletion(developer: Caller) -> None:
    workflow_id, other = await created(developer, name="One"), await created(developer, name="Other")
    first = await branched(developer, workflow_id)
    await branched(developer, other)

    taken = await run(developer, CREATE_BRANCH, workflow=workflow_id, name="feature")
    unnamed = await run(developer, CREATE_BRANCH, workflow=workflow_id, name=" ")
    deleted = await run(developer, DELETE_BRANCH, id=first)
    free = await run(developer, CREATE_BRANCH, workflow=workflow_id, name="feature")

    assert (told(taken), taken["branch"]) == ([("ConflictError", ["name"])], None)
    assert told(unnamed) == [("ValidationError", ["name"])]
    assert (deleted["errors"], free["errors"]) == ([], [])
    gone = await developer.data("query ($id: ID!) { branch(id: $id) { id } node(id: $id) { id } }", id=first)
    assert gone == {"branch": None, "node": None}


async def test_an_edit_of_an_old_revision_or_a_wrong_graph_changes_nothing(developer: Caller) -> None:
    branch = await branched(developer, await created(developer, says("one")), graph=says("two"))

    stale = await run(developer, UPDATE_BRANCH, id=branch, input={"graph": says("three")}, expected=1)
    broken = await run(developer, UPDATE_BRANCH, id=branch, input={"graph": graph({"id": "x", "kind": "nope"})})
    kept = await run(developer, DELETE_BRANCH, id=branch, expected=1)

    assert (told(stale), told(broken), told(kept)) == (
        [("ConflictError", ["expectedRevision"])],
        [("ValidationError", ["graph"])],
        [("ConflictError", ["expectedRevision"])],
    )
    read = await developer.data(
        "query ($id: ID!) { branch(id: $id) { revision graph { nodes { id config } } } }", id=branch
    )
    assert (read["branch"]["revision"], config(read["branch"])) == (2, {"message": "two"})


async def test_a_merge_brings_both_sides_changes_together(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"), variables={"a": {"default": 1}})
    branch = await branched(developer, workflow_id, graph=says("two"))
    await run(
        developer,
        UPDATE,
        id=workflow_id,
        input={"graph": says("one", more=True), "variables": {"a": {"default": 1}, "b": {"default": 2}}},
    )

    merged = await run(developer, MERGE, id=branch, expected=2, workflow=2)
    again = await run(developer, MERGE, id=branch)

    assert (merged["errors"], merged["conflicts"]) == ([], [])
    workflow = merged["workflow"]
    assert (workflow["revision"], config(workflow), config(workflow, "more")) == (
        3,
        {"message": "two"},
        {"message": "more"},
    )
    assert workflow["variables"] == {"a": {"default": 1}, "b": {"default": 2}}
    assert again["workflow"]["revision"] == 3, "merging again changes nothing"
    assert {k: v for k, v in (await draft(developer, workflow_id)).items() if k != "graph"} == {
        "revision": 3,
        "variables": {"a": {"default": 1}, "b": {"default": 2}},
    }


async def test_after_a_merge_a_branch_goes_on_from_what_was_merged(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    branch = await branched(developer, workflow_id, graph=says("two"))
    await run(developer, MERGE, id=branch)
    await run(developer, UPDATE, id=workflow_id, input={"graph": says("two", more=True)})
    await run(developer, UPDATE_BRANCH, id=branch, input={"graph": says("three")})

    merged = await run(developer, MERGE, id=branch)

    assert (merged["errors"], config(merged["workflow"]), config(merged["workflow"], "more")) == (
        [],
        {"message": "three"},
        {"message": "more"},
    )


@pytest.fixture
async def contested(developer: Caller) -> tuple[str, str]:
    """A workflow and its branch, whose messages went different ways."""
    workflow_id = await created(developer, says("one"))
    branch = await branched(developer, workflow_id, graph=says("theirs", more=True))
    await run(developer, UPDATE, id=workflow_id, input={"graph": says("ours")})
    return workflow_id, branch


PLACE = ["nodes", "say", "config", "message"]


async def test_a_conflict_is_named_with_all_values_and_nothing_is_written(
    developer: Caller, contested: tuple[str, str]
) -> None:
    workflow_id, branch = contested
    before = await draft(developer, workflow_id)

    merged = await run(developer, MERGE, id=branch)
    preview = await developer.data("query ($id: ID!) { branch(id: $id) { revision conflicts { path } } }", id=branch)

    assert (told(merged), merged["workflow"], merged["branch"]) == ([("ConflictError", ["resolutions"])], None, None)
    assert merged["conflicts"] == [
        {
            "path": PLACE,
            "nodeId": "say",
            "field": ["config", "message"],
            "base": {"present": True, "value": "one"},
            "draft": {"present": True, "value": "ours"},
            "branch": {"present": True, "value": "theirs"},
        }
    ]
    assert preview == {"branch": {"revision": 2, "conflicts": [{"path": PLACE}]}}
    assert await draft(developer, workflow_id) == before


@pytest.mark.parametrize(
    ("resolution", "message"),
    [({"take": "DRAFT"}, "ours"), ({"take": "BRANCH"}, "theirs"), ({"take": "VALUE", "value": "both"}, "both")],
)
async def test_a_conflict_is_resolved_as_the_caller_says(
    developer: Caller, contested: tuple[str, str], resolution: dict[str, Any], message: str
) -> None:
    workflow_id, branch = contested

    merged = await run(developer, MERGE, id=branch, resolutions=[{"path": PLACE, **resolution}])

    assert merged["errors"] == []
    assert config(await draft(developer, workflow_id)) == {"message": message}
    assert config(await draft(developer, workflow_id), "more") == {"message": "more"}


@pytest.mark.parametrize(
    ("resolutions", "errors"),
    [
        (
            [{"path": PLACE, "take": "DRAFT"}, {"path": ["nodes", "more"], "take": "DRAFT"}],
            [("ValidationError", ["resolutions", "1", "path"])],
        ),
        ([{"path": ["nodes", "say"], "take": "BRANCH"}], [("ConflictError", ["resolutions"])]),
    ],
)
async def test_a_resolution_of_no_conflict_is_refused(
    developer: Caller, contested: tuple[str, str], resolutions: list[Any], errors: Any
) -> None:
    workflow_id, branch = contested
    before = await draft(developer, workflow_id)

    merged = await run(developer, MERGE, id=branch, resolutions=resolutions)

    assert told(merged) == errors
    assert await draft(developer, workflow_id) == before


async def test_what_comes_out_of_a_merge_has_to_make_sense(developer: Caller) -> None:
    """One side leads an edge forwards, the other one back: each is fine, both are a cycle without a maximum."""
    nodes = [{"id": name, "kind": "log", "config": {"message": name}} for name in ("a", "b")]
    both = ("start > a", "start > b")
    workflow_id = await created(developer, graph(*nodes, edges=both))
    branch = await branched(developer, workflow_id, graph=graph(*nodes, edges=(*both, "a > b")))
    await run(developer, UPDATE, id=workflow_id, input={"graph": graph(*nodes, edges=(*both, "b > a"))})
    before = await draft(developer, workflow_id)

    merged = await run(developer, MERGE, id=branch)

    assert (told(merged), merged["conflicts"]) == ([("ValidationError", ["graph"])], [])
    assert await draft(developer, workflow_id) == before


async def test_a_value_of_a_wrong_shape_is_refused(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    branch = await branched(developer, workflow_id, graph=graph())
    await run(developer, UPDATE, id=workflow_id, input={"graph": says("ours")})

    merged = await run(
        developer,
        MERGE,
        id=branch,
        resolutions=[{"path": ["nodes", "say"], "take": "VALUE", "value": {"id": "say", "kind": 7}}],
    )

    assert told(merged) == [("ValidationError", ["graph"])]


@pytest.mark.parametrize(
    ("revisions", "path"),
    [({"expected": 1}, "expectedRevision"), ({"workflow": 1}, "expectedWorkflowRevision")],
)
async def test_a_merge_of_what_the_caller_has_not_seen_is_refused(
    developer: Caller, contested: tuple[str, str], revisions: dict[str, int], path: str
) -> None:
    _, branch = contested

    merged = await run(developer, MERGE, id=branch, resolutions=[{"path": PLACE, "take": "DRAFT"}], **revisions)

    assert told(merged) == [("ConflictError", [path])]


async def test_merges_and_edits_at_once_lose_nothing(developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    names = ("b1", "b2", "b3")
    branches = [await branched(developer, workflow_id, name=name, variables={name: {"default": 1}}) for name in names]

    outcomes = await asyncio.gather(
        *(run(developer, MERGE, id=branch) for branch in branches),
        run(developer, UPDATE, id=workflow_id, input={"graph": says("two")}),
    )

    assert [outcome["errors"] for outcome in outcomes] == [[]] * 4
    after = await draft(developer, workflow_id)
    assert (after["variables"], config(after)) == ({name: {"default": 1} for name in names}, {"message": "two"})
    assert after["revision"] == 5


WRITERS = frozenset({Role.ADMIN, Role.DEVELOPER})


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "mutation",
    [
        'branchCreate(input: {workflowId: $w, name: "new"})',
        'branchUpdate(id: $b, input: {name: "changed"})',
        "branchDelete(id: $b)",
        "branchMerge(id: $b)",
    ],
)
async def test_who_may_write_workflows_may_change_branches_and_nobody_else(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, mutation: str, role: Role
) -> None:
    workflow_id = await created(developer, says("one"))
    branch = await branched(developer, workflow_id, graph=says("two"))
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    state = (await developer.data(LIST, id=workflow_id), await draft(developer, workflow_id))
    declared = ", ".join(f"${name}: ID!" for name in ("w", "b") if f"${name}" in mutation)
    variables = {name: value for name, value in (("w", workflow_id), ("b", branch)) if f"${name}" in mutation}

    payload = await run(
        caller, f"mutation ({declared}) {{ {mutation} {{ errors {{ __typename path }} }} }}", **variables
    )

    assert told(payload) == ([] if role in WRITERS else [("ForbiddenError", None)])
    if role not in WRITERS:
        assert (await caller.data(LIST, id=workflow_id), await draft(caller, workflow_id)) == state


async def test_another_tenants_branch_answers_like_a_missing_one(developer: Caller, stranger: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    branch = await branched(developer, workflow_id, graph=says("two"))
    read = "query ($id: ID!) { branch(id: $id) { id } node(id: $id) { id } }"

    assert await stranger.data(read, id=branch) == await stranger.data(read, id=MISSING)
    for mutation, given in ((UPDATE_BRANCH, {"input": {"name": "mine"}}), (DELETE_BRANCH, {}), (MERGE, {})):
        theirs = await run(stranger, mutation, id=branch, **given)
        missing = await run(stranger, mutation, id=MISSING, **given)
        assert str(theirs).replace(branch, MISSING) == str(missing)
        assert told(theirs) == [("NotFoundError", ["id"])]
    made = await run(stranger, CREATE_BRANCH, workflow=workflow_id, name="mine")
    assert told(made) == [("NotFoundError", ["id"])]
    assert (await developer.data(LIST, id=workflow_id))["workflow"]["branches"]["totalCount"] == 1
