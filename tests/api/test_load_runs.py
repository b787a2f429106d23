"""Load runs by the API: as many as asked for, so many at once, measured, cancelled, and nobody else's business."""

import asyncio
from datetime import datetime
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool
from db.load_runs_feed import PostgresLoadFeeding
from domain.access import Role
from domain.ids import LoadRunId, decode
from tests.api.application import Caller, new_caller
from tests.api.operations import ERRORS, created, finished, graph, published

pytestmark = pytest.mark.usefixtures("worker")

FIELDS = """id status count concurrency rate draft begun createdBy cancelledBy finishedAt
  report { begun running seconds perSecond statuses { status count } errors { code count }
    durations { p50Ms p95Ms p99Ms maxMs } queueWaits { p50Ms maxMs } nodes { node attempts totalMs p95Ms maxMs } }"""
START = f"mutation ($input: LoadRunStartInput!) {{ loadRunStart(input: $input) {{ loadRun {{ {FIELDS} }} {ERRORS} }} }}"
CANCEL = f"mutation ($id: ID!) {{ loadRunCancel(id: $id) {{ loadRun {{ {FIELDS} }} {ERRORS} }} }}"
READ = f"query ($id: ID!) {{ loadRun(id: $id) {{ {FIELDS} }} }}"
HOLDS = graph({"id": "hold", "kind": "wait", "config": {"signal": "go"}})


async def asked(caller: Caller, query: str, **variables: object) -> Any:
    (payload,) = (await caller.data(query, **variables)).values()
    return payload


async def begun(caller: Caller, workflow_id: str, **size: object) -> Any:
    payload = await asked(caller, START, input={"workflowId": workflow_id, **size})
    assert payload["errors"] == []
    return payload["loadRun"]


async def over(caller: Caller, run: Any, within: float = 20) -> Any:
    """The load run once its last execution is over."""
    async with asyncio.timeout(within):
        while True:
            found = await asked(caller, READ, id=run["id"])
            if found["finishedAt"]:
                return found
            await asyncio.sleep(0.05)


async def under_way(caller: Caller, run: Any, number: int) -> Any:
    """The load run once so many of its executions are running or waiting."""
    async with asyncio.timeout(20):
        while True:
            found = await asked(caller, READ, id=run["id"])
            counts = {each["status"]: each["count"] for each in found["report"]["statuses"]}
            if counts.get("RUNNING", 0) + counts.get("WAITING", 0) == number:
                return found
            await asyncio.sleep(0.05)


async def refusals(caller: Caller, workflow_id: str, **size: object) -> list[tuple[str, list[str]]]:
    payload = await asked(caller, START, input={"workflowId": workflow_id, **size})
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def test_all_of_it_runs_in_test_mode_and_is_measured(developer: Caller) -> None:
    sends = graph(
        {"id": "pay", "kind": "http", "config": {"url": "https://pay.example/{{ input.n }}"}},
        {"id": "done", "kind": "end", "config": {"output": "{{ steps.pay.output.url }}"}},
    )
    workflow_id = await created(developer, sends)

    run = await begun(developer, workflow_id, count=60, concurrency=7, input={"n": 1})
    done = await over(developer, run)

    assert (run["status"], run["begun"], run["draft"], run["report"]["begun"]) == ("RUNNING", 0, True, 0)
    assert (done["status"], done["begun"], done["count"], done["concurrency"]) == ("FINISHED", 60, 60, 7)
    report = done["report"]
    assert (report["begun"], report["running"], report["errors"]) == (60, 0, [])
    assert report["statuses"] == [{"status": "COMPLETED", "count": 60}]
    assert report["perSecond"] == pytest.approx(60 / report["seconds"], rel=0.02)
    durations = report["durations"]
    assert 0 < durations["p50Ms"] <= durations["p95Ms"] <= durations["p99Ms"] <= durations["maxMs"]
    assert 0 <= report["queueWaits"]["p50Ms"] <= report["queueWaits"]["maxMs"]
    assert {(node["node"], node["attempts"]) for node in report["nodes"]} == {("start", 60), ("pay", 60), ("done", 60)}
    assert [node["totalMs"] for node in report["nodes"]] == sorted(
        (node["totalMs"] for node in report["nodes"]), reverse=True
    )
    query = """query ($id: ID!) { loadRun(id: $id) { executions(first: 1) { totalCount nodes {
      priority draft output test { marks { path mark } testCase { id } } } } } }"""
    listed = (await asked(developer, query, id=run["id"]))["executions"]
    assert listed["totalCount"] == 60
    assert listed["nodes"] == [
        {
            "priority": -100,
            "draft": True,
            "output": "https://pay.example/1",
            "test": {"marks": [{"path": "pay", "mark": "SIMULATED"}], "testCase": None},
        }
    ]


async def test_no_more_are_under_way_than_its_concurrency(developer: Caller) -> None:
    run = await begun(developer, await created(developer, HOLDS), count=9, concurrency=3)

    held = await under_way(developer, run, 3)

    assert (held["begun"], held["report"]["running"]) == (3, 3)
    query = "query ($id: ID!) { loadRun(id: $id) { executions { nodes { id status } } } }"
    waiting = (await asked(developer, query, id=run["id"]))["executions"]["nodes"]
    go = f'mutation ($id: ID!) {{ signalSend(executionId: $id, name: "go") {{ {ERRORS} }} }}'
    await asked(developer, go, id=waiting[0]["id"])
    async with asyncio.timeout(10):
        while True:
            fed = await asked(developer, READ, id=run["id"])
            if fed["begun"] > 3:
                break
            await asyncio.sleep(0.02)
    assert (fed["begun"], (await under_way(developer, run, 3))["begun"]) == (4, 4)
    await asked(developer, CANCEL, id=run["id"])


async def test_a_cancelled_one_begins_no_more_and_ends_what_runs(developer: Caller) -> None:
    run = await begun(developer, await created(developer, HOLDS), count=50, concurrency=5)
    await under_way(developer, run, 5)

    cancelled = await asked(developer, CANCEL, id=run["id"])
    again = await asked(developer, CANCEL, id=run["id"])
    done = await over(developer, run)

    assert (cancelled["errors"], cancelled["loadRun"]["status"]) == ([], "CANCELLED")
    assert (again["errors"], again["loadRun"]["status"]) == ([], "CANCELLED")
    assert (done["status"], done["begun"], done["cancelledBy"]) == ("CANCELLED", 5, done["createdBy"])
    assert done["report"]["statuses"] == [{"status": "CANCELLED", "count": 5}]


async def test_failures_are_counted_by_their_code(developer: Caller) -> None:
    fails = graph({"id": "stop", "kind": "fail", "config": {"message": "no"}})
    run = await begun(developer, await created(developer, fails), count=4)

    report = (await over(developer, run))["report"]

    assert report["statuses"] == [{"status": "FAILED", "count": 4}]
    assert report["errors"] == [{"code": "FAILED_BY_WORKFLOW", "count": 4}]


async def test_each_execution_has_the_time_it_is_given_from_its_own_beginning(developer: Caller) -> None:
    run = await begun(developer, await created(developer, HOLDS), count=4, concurrency=2, timeout=0.4)

    done = await over(developer, run)

    assert done["report"]["errors"] == [{"code": "EXECUTION_TIMEOUT", "count": 4}]
    assert done["report"]["seconds"] >= 0.8, "the second two began when the first two were over"


async def test_a_rate_spreads_the_beginnings(developer: Caller) -> None:
    run = await begun(developer, await published(developer), count=10, rate=20, input={"a": 1, "b": 2}, version=1)

    done = await over(developer, run)

    assert (done["rate"], done["draft"], done["report"]["begun"]) == (20, False, 10)
    query = "query ($id: ID!) { loadRun(id: $id) { createdAt executions { nodes { createdAt } } } }"
    read = await asked(developer, query, id=run["id"])
    moments = sorted(each["createdAt"] for each in read["executions"]["nodes"])
    assert _seconds(read["createdAt"], moments[-1]) >= 9 / 20


async def test_the_workflows_own_limits_hold_for_it_too(developer: Caller) -> None:
    settings = {"concurrency": {"max": 2}}
    run = await begun(developer, await published(developer, HOLDS, settings=settings), count=6, concurrency=6)

    held = await under_way(developer, run, 2)

    assert {each["status"]: each["count"] for each in held["report"]["statuses"]}["PENDING"] == 4
    await asked(developer, CANCEL, id=run["id"])
    assert (await over(developer, run))["report"]["statuses"] == [{"status": "CANCELLED", "count": 6}]


async def test_other_executions_of_the_tenant_come_before_it(developer: Caller, stranger: Caller) -> None:
    busy, theirs = await published(developer), await published(stranger)
    run = await begun(developer, busy, count=400, concurrency=50, input={"a": 1, "b": 2})

    for caller, workflow_id in ((developer, busy), (stranger, theirs)):
        execution = await finished(caller, workflow_id, input={"a": 1, "b": 2})
        assert execution["status"] == "COMPLETED"

    await asked(developer, CANCEL, id=run["id"])
    assert (await over(developer, run))["report"]["running"] == 0


async def test_feeding_twice_at_once_begins_nothing_twice(developer: Caller, engine_pool: EnginePool) -> None:
    run = await begun(developer, await created(developer, HOLDS), count=20, concurrency=4)
    feeding, run_id = PostgresLoadFeeding(engine_pool), LoadRunId(decode("loadrun", run["id"]))

    await asyncio.gather(*(feeding.feed(developer.tenant.id, run_id, ids=uuid.uuid7, now=utc_now()) for _ in range(8)))

    held = await asked(developer, READ, id=run["id"])
    assert (held["begun"], held["report"]["begun"]) == (4, 4)
    await asked(developer, CANCEL, id=run["id"])
    await over(developer, run)


async def test_a_size_out_of_range_is_refused_with_its_field_and_nothing_begins(developer: Caller) -> None:
    workflow_id = await created(developer)

    assert await refusals(developer, workflow_id, count=10_001) == [("TOO_LARGE", ["count"])]
    assert await refusals(developer, workflow_id, count=0) == [("VALIDATION", ["count"])]
    assert await refusals(developer, workflow_id, count=1, concurrency=201) == [("VALIDATION", ["concurrency"])]
    assert await refusals(developer, workflow_id, count=1, concurrency=0) == [("VALIDATION", ["concurrency"])]
    assert await refusals(developer, workflow_id, count=1, rate=0) == [("VALIDATION", ["rate"])]
    assert await refusals(developer, workflow_id, count=10_000, input="x" * 7_000) == [("TOO_LARGE", ["count"])]
    assert await refusals(developer, workflow_id, count=1, variables={"nix": 1}) == [
        ("VALIDATION", ["variables", "nix"])
    ]
    pins = {"pins": [{"node": "sun"}]}
    assert await refusals(developer, workflow_id, count=1, test=pins) == [("VALIDATION", ["test", "pins", "sun"])]
    assert await refusals(developer, workflow_id, count=1, timeout=0) == [("VALIDATION", ["timeout"])]
    assert await refusals(developer, workflow_id, count=1, version=3) == [("INVALID_STATE", ["workflowId"])]
    query = "query ($id: ID!) { workflow(id: $id) { loadRuns { nodes { id } } executions { totalCount } } }"
    assert await asked(developer, query, id=workflow_id) == {
        "loadRuns": {"nodes": []},
        "executions": {"totalCount": 0},
    }


async def test_a_workflow_has_one_at_a_time(developer: Caller) -> None:
    workflow_id = await created(developer, HOLDS)
    first = await begun(developer, workflow_id, count=1)

    assert await refusals(developer, workflow_id, count=1) == [("CONFLICT", ["workflowId"])]

    await asked(developer, CANCEL, id=first["id"])
    await over(developer, first)
    second = await begun(developer, workflow_id, count=1)
    query = "query ($id: ID!) { workflow(id: $id) { loadRuns { nodes { id } } } }"
    listed = (await asked(developer, query, id=workflow_id))["loadRuns"]["nodes"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    await asked(developer, CANCEL, id=second["id"])
    await over(developer, second)


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_start_executions_may_load_a_workflow(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    workflow_id = await created(developer, HOLDS)
    held = await begun(developer, await created(developer, HOLDS, name="Other"), count=1)
    caller = await new_caller(engine_pool, http, developer.tenant, role)

    started = await asked(caller, START, input={"workflowId": workflow_id, "count": 1})
    cancelled = await asked(caller, CANCEL, id=held["id"])

    refused = [[error["code"] for error in payload["errors"]] for payload in (started, cancelled)]
    assert refused == ([["FORBIDDEN"]] * 2 if role is Role.VIEWER else [[], []])
    assert (await asked(caller, READ, id=held["id"]))["status"] == ("RUNNING" if role is Role.VIEWER else "CANCELLED")
    for run in filter(None, (started["loadRun"], held)):
        await asked(developer, CANCEL, id=run["id"])
        await over(developer, run)


async def test_another_tenants_load_runs_are_as_good_as_missing(developer: Caller, stranger: Caller) -> None:
    workflow_id = await created(developer, HOLDS)
    run = await begun(developer, workflow_id, count=1)

    cancelled = await asked(stranger, CANCEL, id=run["id"])

    assert [(error["code"], error["path"]) for error in cancelled["errors"]] == [("NOT_FOUND", ["id"])]
    assert await refusals(stranger, workflow_id, count=1) == [("NOT_FOUND", ["workflowId"])]
    query = "query ($id: ID!) { loadRun(id: $id) { id } node(id: $id) { id } }"
    assert await stranger.data(query, id=run["id"]) == {"loadRun": None, "node": None}
    assert (await asked(developer, READ, id=run["id"]))["status"] == "RUNNING"
    await asked(developer, CANCEL, id=run["id"])
    await over(developer, run)


def _seconds(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
