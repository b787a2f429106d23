"""Splits: two versions share a workflow's starts, are compared, and one of them stays."""

from collections import Counter
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool
from domain.access import Role
from tests.api.application import Caller, new_caller
from tests.api.operations import ERRORS, PUBLISH, graph, published, started
from tests.api.test_environments import CREATE as ENVIRONMENT
from tests.api.test_environments import DELETE as DELETE_ENVIRONMENT
from tests.api.test_environments import promoted
from tests.api.test_executions import until

pytestmark = pytest.mark.usefixtures("worker")

SPLIT = """split { id environment percent endedAt endedBy startedBy
  baseline { number } candidate { number } promoted { number } }"""
START = f"""mutation ($input: SplitStartInput!) {{ splitStart(input: $input) {{ {SPLIT} {ERRORS} }} }}"""
CHANGE = f"""mutation ($id: ID!, $percent: Int!) {{ splitChange(id: $id, percent: $percent) {{ {SPLIT} {ERRORS} }} }}"""
END = f"""mutation ($id: ID!, $version: Int!, $note: String!) {{
  splitEnd(id: $id, version: $version, note: $note) {{ {SPLIT} {ERRORS} }}
}}"""
COMPARE = """query ($id: ID!) { split(id: $id) { comparison {
  version { number } executions running completed failed cancelled successRate p50DurationMs p95DurationMs
  errors { code count }
} } }"""
ACTIVE = "query ($id: ID!) { workflow(id: $id) { activeVersion { number } split { id } revision } }"


def ends(code: str | None) -> dict[str, Any]:
    """Completes, or fails."""
    last = {"id": "done", "kind": "end"} if code is None else {"id": "no", "kind": "fail", "config": {"message": code}}
    return graph(last)


async def two_versions(caller: Caller, second: dict[str, Any] | None = None) -> str:
    """The id of a workflow whose first version is active and whose second is published."""
    workflow_id = await published(caller, ends(None), name=f"Flow {uuid.uuid7().hex}")
    change = f"mutation ($id: ID!, $g: GraphInput) {{ workflowUpdate(id: $id, input: {{graph: $g}}) {{ {ERRORS} }} }}"
    assert (await caller.data(change, id=workflow_id, g=second or ends("no")))["workflowUpdate"]["errors"] == []
    await caller.data(PUBLISH, id=workflow_id)
    back = f"mutation ($id: ID!) {{ workflowRollback(id: $id, version: 1) {{ {ERRORS} }} }}"
    assert (await caller.data(back, id=workflow_id))["workflowRollback"]["errors"] == []
    return workflow_id


async def begun(caller: Caller, workflow_id: str, percent: int = 50, **more: object) -> Any:
    answer = await caller.data(START, input={"workflowId": workflow_id, "version": 2, "percent": percent, **more})
    assert answer["splitStart"]["errors"] == []
    return answer["splitStart"]["split"]


async def versions(caller: Caller, workflow_id: str, *keys: str, **more: object) -> list[int]:
    """The version that each start with these keys runs."""
    return [(await started(caller, workflow_id, idempotencyKey=key, **more))["version"]["number"] for key in keys]


KEYS = [f"key-{number}" for number in range(40)]


async def test_starts_choose_between_the_two_and_a_repeated_start_chooses_the_same(developer: Caller) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id)

    first = await versions(developer, workflow_id, *KEYS)
    again = await versions(developer, workflow_id, *KEYS)

    assert (split["percent"], split["environment"], split["endedAt"]) == (50, "default", None)
    assert (split["baseline"]["number"], split["candidate"]["number"]) == (1, 2)
    assert set(first) == {1, 2}
    assert again == first
    assert (await developer.data(ACTIVE, id=workflow_id))["workflow"]["split"] == {"id": split["id"]}


async def test_a_changed_share_holds_for_starts_from_then_on(developer: Caller) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id, 0)
    assert set(await versions(developer, workflow_id, *KEYS[:5])) == {1}

    changed = (await developer.data(CHANGE, id=split["id"], percent=100))["splitChange"]

    assert (changed["errors"], changed["split"]["percent"]) == ([], 100)
    assert set(await versions(developer, workflow_id, *KEYS[5:10])) == {2}
    assert set(await versions(developer, workflow_id, *KEYS[:5])) == {1}, "these had begun"


async def test_an_explicit_version_is_no_part_of_it(developer: Caller) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id, 100)

    execution = await started(developer, workflow_id, version=1)
    await until(developer, execution["id"], "COMPLETED")

    sides = (await developer.data(COMPARE, id=split["id"]))["split"]["comparison"]
    assert [side["executions"] for side in sides] == [0, 0]


async def test_the_comparison_counts_what_the_split_has_placed(developer: Caller) -> None:
    workflow_id = await two_versions(developer)
    before = await started(developer, workflow_id)
    await until(developer, before["id"], "COMPLETED")
    split = await begun(developer, workflow_id)
    begin = [await started(developer, workflow_id, idempotencyKey=key) for key in KEYS]
    counted = Counter(each["version"]["number"] for each in begin)
    for each in begin:
        await until(developer, each["id"], "COMPLETED" if each["version"]["number"] == 1 else "FAILED")

    baseline, candidate = (await developer.data(COMPARE, id=split["id"]))["split"]["comparison"]

    durations = baseline.pop("p50DurationMs"), baseline.pop("p95DurationMs")
    assert 0 < durations[0] <= durations[1]
    assert baseline == {
        "version": {"number": 1},
        "executions": counted[1],
        "running": 0,
        "completed": counted[1],
        "failed": 0,
        "cancelled": 0,
        "successRate": 1.0,
        "errors": [],
    }
    assert candidate == {
        "version": {"number": 2},
        "executions": counted[2],
        "running": 0,
        "completed": 0,
        "failed": counted[2],
        "cancelled": 0,
        "successRate": 0.0,
        "p50DurationMs": None,
        "p95DurationMs": None,
        "errors": [{"code": "FAILED_BY_WORKFLOW", "count": counted[2]}],
    }


async def test_the_comparison_reads_the_executions_of_its_split_alone(
    developer: Caller, engine_pool: EnginePool
) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id)
    await started(developer, workflow_id)

    async with engine_pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            """EXPLAIN SELECT version_id, count(*) FROM execution
               WHERE tenant_id = gen_random_uuid() AND split_id = gen_random_uuid() AND id >= $1 GROUP BY 1""",
            uuid.uuid7(),
        )

    text = "\n".join(row[0] for row in plan)
    assert "split_id" in text.partition("Index Cond")[2]
    assert "Filter: (split_id" not in text
    assert split["id"].startswith("split_")


@pytest.mark.parametrize("winner", [1, 2])
async def test_its_end_makes_one_of_the_two_the_active_one(developer: Caller, winner: int) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id, 50)

    ended = (await developer.data(END, id=split["id"], version=winner, note="better"))["splitEnd"]
    again = (await developer.data(END, id=split["id"], version=winner, note=""))["splitEnd"]

    assert (ended["errors"], ended["split"]["promoted"]) == ([], {"number": winner})
    assert ended["split"]["endedBy"] == ended["split"]["startedBy"]
    assert [error["code"] for error in again["errors"]] == ["INVALID_STATE"]
    found = (await developer.data(ACTIVE, id=workflow_id))["workflow"]
    assert (found["activeVersion"], found["split"]) == ({"number": winner}, None)
    assert set(await versions(developer, workflow_id, *KEYS[:5])) == {winner}
    history = "query ($id: ID!) { workflow(id: $id) { promotions { nodes { from to note version { number } } } } }"
    nodes = (await developer.data(history, id=workflow_id))["workflow"]["promotions"]["nodes"]
    expected = [{"from": None, "to": "default", "note": "better", "version": {"number": 2}}]
    assert nodes == (expected if winner == 2 else [])


async def test_another_version_becoming_active_ends_it(developer: Caller) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id, 100)

    await developer.data(PUBLISH, id=workflow_id)

    query = """query ($id: ID!, $w: ID!) {
      node(id: $id) { ... on Split { endedAt endedBy promoted { number } } }
      workflow(id: $w) { split { id } splits { nodes { id } } }
    }"""
    found = await developer.data(query, id=split["id"], w=workflow_id)
    assert found["node"]["endedAt"] is not None
    assert (found["node"]["endedBy"], found["node"]["promoted"]) == (None, {"number": 3})
    assert found["workflow"] == {"split": None, "splits": {"nodes": [{"id": split["id"]}]}}
    assert set(await versions(developer, workflow_id, *KEYS[:5])) == {3}
    over = (await developer.data(CHANGE, id=split["id"], percent=10))["splitChange"]
    assert [error["code"] for error in over["errors"]] == ["INVALID_STATE"]


async def test_a_workflow_has_one_split_in_an_environment_and_its_candidate_must_have_passed(developer: Caller) -> None:
    for name in ("staging", "production"):
        await developer.data(ENVIRONMENT, name=name)
    workflow_id = await two_versions(developer)
    given = {"workflowId": workflow_id, "version": 2, "percent": 100}
    nothing = (await developer.data(START, input={**given, "environment": "production"}))["splitStart"]
    await promoted(developer, workflow_id, "default", "staging", "production")
    not_passed = (await developer.data(START, input={**given, "environment": "production"}))["splitStart"]
    await promoted(developer, workflow_id, "default", "staging", version=2)
    split = await begun(developer, workflow_id, 100, environment="production")
    second = (await developer.data(START, input={**given, "environment": "production"}))["splitStart"]

    assert [error["code"] for error in nothing["errors"]] == ["INVALID_STATE"]
    assert [(error["code"], error["path"]) for error in not_passed["errors"]] == [("INVALID_STATE", ["version"])]
    assert [error["code"] for error in second["errors"]] == ["CONFLICT"]
    assert await versions(developer, workflow_id, "a", environment="production") == [2]
    assert await versions(developer, workflow_id, "b") == [1]
    ended = (await developer.data(END, id=split["id"], version=2, note=""))["splitEnd"]
    assert ended["errors"] == []
    assert await versions(developer, workflow_id, "c", environment="production") == [2]


async def test_an_environment_that_goes_takes_its_split_along(developer: Caller) -> None:
    await developer.data(ENVIRONMENT, name="staging")
    workflow_id = await two_versions(developer)
    await promoted(developer, workflow_id, "default", "staging")
    split = await begun(developer, workflow_id, environment="staging")

    await developer.data(DELETE_ENVIRONMENT, name="staging")

    over = (await developer.data(END, id=split["id"], version=2, note=""))["splitEnd"]
    assert [error["code"] for error in over["errors"]] == ["INVALID_STATE"]


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"percent": 101}, "VALIDATION", ["percent"]),
        ({"percent": -1}, "VALIDATION", ["percent"]),
        ({"version": 1}, "VALIDATION", ["version"]),
        ({"version": 9}, "NOT_FOUND", ["version"]),
        ({"environment": "moon"}, "NOT_FOUND", ["environment"]),
    ],
)
async def test_what_cannot_be_split_is_refused(
    developer: Caller, given: dict[str, Any], code: str, path: list[str]
) -> None:
    workflow_id = await two_versions(developer)

    answer = await developer.data(START, input={"workflowId": workflow_id, "version": 2, "percent": 10, **given})

    assert [(error["code"], error["path"]) for error in answer["splitStart"]["errors"]] == [(code, path)]
    assert (await developer.data(ACTIVE, id=workflow_id))["workflow"]["split"] is None


async def test_another_tenants_splits_are_not_there(developer: Caller, stranger: Caller) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id)

    assert await stranger.data(COMPARE, id=split["id"]) == {"split": None}
    for query, variables in (
        (START, {"input": {"workflowId": workflow_id, "version": 2, "percent": 1}}),
        (CHANGE, {"id": split["id"], "percent": 1}),
        (END, {"id": split["id"], "version": 2, "note": ""}),
    ):
        (payload,) = (await stranger.data(query, **variables)).values()
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "mutation",
    [
        "splitStart(input: {workflowId: $w, version: 3, percent: 1})",
        "splitChange(id: $s, percent: 1)",
        "splitEnd(id: $s, version: 2)",
    ],
)
async def test_roles_that_may_not_change_nothing(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, mutation: str, role: Role
) -> None:
    workflow_id = await two_versions(developer)
    split = await begun(developer, workflow_id)
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    given = {"w": workflow_id} if "$w" in mutation else {"s": split["id"]}
    shown = "query ($id: ID!) { split(id: $id) { percent endedAt } }"

    answer = await caller.data(f"mutation (${next(iter(given))}: ID!) {{ it: {mutation} {{ {ERRORS} }} }}", **given)

    refused = [error["code"] for error in answer["it"]["errors"]] == ["FORBIDDEN"]
    assert refused is (role in (Role.VIEWER, Role.SERVICE))
    if refused:
        assert await caller.data(shown, id=split["id"]) == {"split": {"percent": 50, "endedAt": None}}


async def test_a_subworkflow_chooses_by_the_split_of_its_own(developer: Caller) -> None:
    child = await two_versions(developer)
    await begun(developer, child, 100)
    parent = await published(
        developer, graph({"id": "call", "kind": "subworkflow", "config": {"workflow": child}}), name="Parent"
    )

    execution = await started(developer, parent)
    await until(developer, execution["id"], "FAILED")

    query = "query ($id: ID!) { workflow(id: $id) { executions { nodes { version { number } } } } }"
    nodes = (await developer.data(query, id=child))["workflow"]["executions"]["nodes"]
    assert nodes == [{"version": {"number": 2}}]
