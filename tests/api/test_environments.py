"""Environments: what runs where, with which values, and how a version gets from one to the next."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.operations import ERRORS, PUBLISH, finished, graph, published, start, started

pytestmark = pytest.mark.usefixtures("worker")

CREATE = f"""mutation ($name: String!, $input: EnvironmentInput) {{
  environmentCreate(name: $name, input: $input) {{
    environment {{ name position variables connections revision }} {ERRORS}
  }}
}}"""
UPDATE = f"""mutation ($name: String!, $input: EnvironmentInput!, $revision: Int) {{
  environmentUpdate(name: $name, input: $input, expectedRevision: $revision) {{
    environment {{ name variables connections revision }} {ERRORS}
  }}
}}"""
REORDER = f"""mutation ($names: [String!]!) {{
  environmentReorder(names: $names) {{ environments {{ name position }} {ERRORS} }}
}}"""
DELETE = f"""mutation ($name: String!) {{ environmentDelete(name: $name) {{ name {ERRORS} }} }}"""
PROMOTE = f"""mutation ($id: ID!, $from: String!, $to: String!, $note: String!, $version: Int) {{
  workflowPromote(id: $id, from: $from, to: $to, note: $note, version: $version) {{ workflow {{ id }} {ERRORS} }}
}}"""
LIST = "{ environments { name position variables connections } }"
WHERE = """query ($id: ID!) { workflow(id: $id) {
  deployments { environment version { number } by }
  promotions { nodes { from to note promotedBy version { number } previous { number } } }
} }"""


def says(text: str) -> dict[str, Any]:
    """Ends with this text and the workflow's variable."""
    return graph({"id": "done", "kind": "end", "config": {"output": f"{text} {{{{ vars.tone }}}}"}})


TONE = {"tone": {"default": "plain"}}


async def environment(caller: Caller, name: str, **values: object) -> None:
    answer = await caller.data(CREATE, name=name, input=values or None)
    assert answer["environmentCreate"]["errors"] == []


async def stages(caller: Caller) -> None:
    await environment(caller, "staging", variables={"tone": "quiet"})
    await environment(caller, "production", variables={"tone": "loud", "unknown": 1})


async def promoted(caller: Caller, workflow_id: str, *way: str, note: str = "", version: int | None = None) -> Any:
    """The errors of the last promotion on this way."""
    errors: Any = []
    for source, target in pairwise(way):
        answer = await caller.data(
            PROMOTE, id=workflow_id, **{"from": source, "to": target, "note": note, "version": version}
        )
        errors = answer["workflowPromote"]["errors"]
    return errors


async def republished(caller: Caller, workflow_id: str, text: str) -> None:
    update = (
        f"mutation ($id: ID!, $input: WorkflowUpdateInput!) {{ workflowUpdate(id: $id, input: $input) {{ {ERRORS} }} }}"
    )
    assert (await caller.data(update, id=workflow_id, input={"graph": says(text)}))["workflowUpdate"]["errors"] == []
    assert (await caller.data(PUBLISH, id=workflow_id))["workflowPublish"]["errors"] == []


async def output(caller: Caller, workflow_id: str, **given: object) -> Any:
    return (await finished(caller, workflow_id, **given))["output"]


async def test_a_tenant_that_names_none_runs_as_ever(developer: Caller) -> None:
    workflow_id = await published(developer, says("one"), variables=TONE)

    assert await developer.data(LIST) == {"environments": []}
    assert await output(developer, workflow_id) == "one plain"
    assert await output(developer, workflow_id, environment="default") == "one plain"
    where = (await developer.data(WHERE, id=workflow_id))["workflow"]
    assert where == {
        "deployments": [{"environment": "default", "version": {"number": 1}, "by": None}],
        "promotions": {"nodes": []},
    }


async def test_a_version_passes_the_environments_one_by_one_and_runs_with_their_values(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    assert await promoted(developer, workflow_id, "default", "staging", "production", note="first") == []
    await republished(developer, workflow_id, "two")
    assert await promoted(developer, workflow_id, "default", "staging", note="second") == []

    assert await output(developer, workflow_id) == "two plain"
    assert await output(developer, workflow_id, environment="staging") == "two quiet"
    assert await output(developer, workflow_id, environment="production") == "one loud"
    assert await output(developer, workflow_id, environment="production", variables={"tone": "own"}) == "one own"

    where = (await developer.data(WHERE, id=workflow_id))["workflow"]
    by = where["deployments"][1]["by"]
    assert by.startswith("apikey_")
    assert where == {
        "deployments": [
            {"environment": "default", "version": {"number": 2}, "by": None},
            {"environment": "staging", "version": {"number": 2}, "by": by},
            {"environment": "production", "version": {"number": 1}, "by": by},
        ],
        "promotions": {
            "nodes": [
                _entry("default", "staging", "second", by, 2, 1),
                _entry("staging", "production", "first", by, 1, None),
                _entry("default", "staging", "first", by, 1, None),
            ]
        },
    }


def _entry(source: str, target: str, note: str, by: str, version: int, previous: int | None) -> Any:
    return {
        "from": source,
        "to": target,
        "note": note,
        "promotedBy": by,
        "version": {"number": version},
        "previous": {"number": previous} if previous else None,
    }


async def test_promoting_again_what_is_there_changes_nothing(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    await promoted(developer, workflow_id, "default", "staging")
    before = await developer.data(WHERE, id=workflow_id)

    assert await promoted(developer, workflow_id, "default", "staging", note="again") == []

    assert await developer.data(WHERE, id=workflow_id) == before


async def test_an_earlier_version_of_the_environment_before_can_be_promoted_again(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    await promoted(developer, workflow_id, "default", "staging", "production")
    await republished(developer, workflow_id, "two")
    await promoted(developer, workflow_id, "default", "staging", "production")
    await republished(developer, workflow_id, "three")

    assert await promoted(developer, workflow_id, "staging", "production", note="back", version=1) == []
    refused = await promoted(developer, workflow_id, "staging", "production", version=3)

    assert await output(developer, workflow_id, environment="production") == "one loud"
    assert [(error["code"], error["path"]) for error in refused] == [("INVALID_STATE", ["version"])]


@pytest.mark.parametrize(
    ("way", "version", "code", "path"),
    [
        (("default", "production"), None, "VALIDATION", ["to"]),
        (("staging", "default"), None, "VALIDATION", ["to"]),
        (("staging", "production"), None, "INVALID_STATE", ["from"]),
        (("default", "moon"), None, "NOT_FOUND", ["to"]),
        (("moon", "staging"), None, "NOT_FOUND", ["from"]),
        (("default", "staging"), 9, "NOT_FOUND", ["version"]),
    ],
)
async def test_a_way_that_is_none_is_refused(
    developer: Caller, way: tuple[str, str], version: int | None, code: str, path: list[str]
) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)

    (refusal,) = await promoted(developer, workflow_id, *way, version=version)

    assert (refusal["code"], refusal["path"]) == (code, path)
    where = (await developer.data(WHERE, id=workflow_id))["workflow"]
    assert (len(where["deployments"]), where["promotions"]["nodes"]) == (1, [])


async def test_a_start_where_nothing_is_active_is_refused(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)

    empty = (await start(developer, workflow_id, environment="staging"))["errors"]
    missing = (await start(developer, workflow_id, environment="moon"))["errors"]

    assert [(error["code"], error["path"]) for error in empty] == [("INVALID_STATE", ["environment"])]
    assert [(error["code"], error["path"]) for error in missing] == [("NOT_FOUND", ["environment"])]


async def test_a_draft_or_a_named_version_can_be_tried_with_an_environments_values(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)

    assert await output(developer, workflow_id, environment="staging", draft=True) == "one quiet"
    assert await output(developer, workflow_id, environment="staging", version=1) == "one quiet"


async def test_an_execution_and_its_retry_say_where_they_run(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    await promoted(developer, workflow_id, "default", "staging")
    first = await finished(developer, workflow_id, environment="staging")
    retry = "mutation ($id: ID!) { executionRetry(id: $id) { execution { id environment } } }"

    again = (await developer.data(retry, id=first["id"]))["executionRetry"]["execution"]

    found = await developer.data(
        """query ($filter: ExecutionFilter) { executions(filter: $filter) { nodes { id environment variables } } }""",
        filter={"environment": "staging"},
    )
    assert again["environment"] == "staging"
    assert found["executions"]["nodes"] == [
        {"id": execution, "environment": "staging", "variables": {"tone": "quiet"}}
        for execution in (again["id"], first["id"])
    ]


async def test_a_subworkflow_runs_in_the_environment_of_its_parent(developer: Caller) -> None:
    await stages(developer)
    child = await published(developer, says("child one"), name="Child", variables=TONE)
    parent = await published(
        developer,
        graph(
            {"id": "call", "kind": "subworkflow", "config": {"workflow": "Child"}},
            {"id": "done", "kind": "end", "config": {"output": "{{ input }}"}},
        ),
        name="Parent",
    )
    await promoted(developer, child, "default", "staging")
    await promoted(developer, parent, "default", "staging", "production")
    await republished(developer, child, "child two")

    assert await output(developer, parent) == "child two plain"
    assert await output(developer, parent, environment="staging") == "child one quiet"
    failed = await finished(developer, parent, environment="production")
    assert failed["error"]["code"] == "SUBWORKFLOW_INVALID_STATE"
    assert failed["error"]["message"] == "The workflow 'Child' has no active version in production"


async def test_a_connection_can_stand_for_another_one(developer: Caller) -> None:
    await environment(developer, "staging", connections={"crm": "crm-of-staging"})
    workflow_id = await published(
        developer,
        graph({"id": "call", "kind": "http", "config": {"url": "https://crm.test/", "connection": "crm"}}),
    )
    await promoted(developer, workflow_id, "default", "staging")

    here = (await finished(developer, workflow_id))["error"]["message"]
    there = (await finished(developer, workflow_id, environment="staging"))["error"]["message"]

    assert here.startswith("There is no connection crm")
    assert "crm-of-staging" not in here
    assert there.startswith("There is no connection crm-of-staging")


async def test_environments_keep_their_order_and_take_another(developer: Caller) -> None:
    for name in ("one", "two", "three"):
        await environment(developer, name)

    ordered = (await developer.data(REORDER, names=["three", "one", "two"]))["environmentReorder"]
    wrong = (await developer.data(REORDER, names=["three", "one"]))["environmentReorder"]

    assert ordered == {
        "environments": [{"name": name, "position": at} for at, name in enumerate(("three", "one", "two"), start=1)],
        "errors": [],
    }
    assert [(error["code"], error["path"]) for error in wrong["errors"]] == [("VALIDATION", ["names"])]


async def test_a_change_replaces_what_it_gives_and_minds_the_revision(developer: Caller) -> None:
    await environment(developer, "staging", variables={"a": 1}, connections={"crm": "x"})

    changed = await developer.data(UPDATE, name="staging", input={"variables": {"b": 2}}, revision=1)
    stale = await developer.data(UPDATE, name="staging", input={"variables": {}}, revision=1)

    assert changed["environmentUpdate"]["environment"] == {
        "name": "staging",
        "variables": {"b": 2},
        "connections": {"crm": "x"},
        "revision": 2,
    }
    assert [error["code"] for error in stale["environmentUpdate"]["errors"]] == ["CONFLICT"]


@pytest.mark.parametrize("name", ["default", "", "Staging", "1st", "a b", "x" * 64, "staging"])
async def test_names_that_cannot_be_are_refused(developer: Caller, name: str) -> None:
    await environment(developer, "staging")

    answer = (await developer.data(CREATE, name=name))["environmentCreate"]

    assert [error["path"] for error in answer["errors"]] == [["name"]]
    assert len((await developer.data(LIST))["environments"]) == 1


@pytest.mark.parametrize("given", [{"variables": [1]}, {"connections": {"crm": 1}}, {"connections": "x"}])
async def test_values_that_cannot_be_are_refused(developer: Caller, given: dict[str, Any]) -> None:
    answer = (await developer.data(CREATE, name="staging", input=given))["environmentCreate"]

    assert [error["code"] for error in answer["errors"]] == ["VALIDATION"]


async def test_a_deleted_environment_takes_no_starts_and_its_history_stays(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    await promoted(developer, workflow_id, "default", "staging", "production")

    assert (await developer.data(DELETE, name="staging"))["environmentDelete"] == {"name": "staging", "errors": []}

    refused = (await start(developer, workflow_id, environment="staging"))["errors"]
    assert [error["code"] for error in refused] == ["NOT_FOUND"]
    where = (await developer.data(WHERE, id=workflow_id))["workflow"]
    assert [each["environment"] for each in where["deployments"]] == ["default", "production"]
    assert len(where["promotions"]["nodes"]) == 2
    assert await promoted(developer, workflow_id, "default", "production") == []


async def test_another_tenant_has_nothing_of_it(developer: Caller, stranger: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)

    assert await stranger.data(LIST) == {"environments": []}
    asked: list[tuple[str, dict[str, Any]]] = [
        (UPDATE, {"name": "staging", "input": {}}),
        (DELETE, {"name": "staging"}),
        (PROMOTE, {"id": workflow_id, "from": "default", "to": "staging", "note": ""}),
    ]
    for query, variables in asked:
        (payload,) = (await stranger.data(query, **variables)).values()
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]
    assert [each["name"] for each in (await developer.data(LIST))["environments"]] == ["staging", "production"]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "mutation",
    [
        'environmentCreate(name: "new")',
        'environmentUpdate(name: "staging", input: {variables: {a: 1}})',
        'environmentReorder(names: ["production", "staging"])',
        'environmentDelete(name: "staging")',
        'workflowPromote(id: $w, to: "staging")',
    ],
)
async def test_roles_that_may_not_change_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, mutation: str, role: Role
) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    before = await caller.data(LIST), await caller.data(WHERE, id=workflow_id)
    declared, given = ("($w: ID!)", {"w": workflow_id}) if "$w" in mutation else ("", {})

    answer = await caller.data(f"mutation {declared} {{ it: {mutation} {{ {ERRORS} }} }}", **given)

    refused = [error["code"] for error in answer["it"]["errors"]] == ["FORBIDDEN"]
    assert refused is (role in (Role.VIEWER, Role.SERVICE))
    after = await caller.data(LIST), await caller.data(WHERE, id=workflow_id)
    assert (before == after) is refused


async def test_the_same_key_with_another_environment_is_another_request(developer: Caller) -> None:
    await stages(developer)
    workflow_id = await published(developer, says("one"), variables=TONE)
    await promoted(developer, workflow_id, "default", "staging")
    first = await started(developer, workflow_id, idempotencyKey="k", environment="staging")

    again = await started(developer, workflow_id, idempotencyKey="k", environment="staging")
    other = (await start(developer, workflow_id, idempotencyKey="k"))["errors"]

    assert again["id"] == first["id"]
    assert [error["code"] for error in other] == ["IDEMPOTENCY_MISMATCH"]
