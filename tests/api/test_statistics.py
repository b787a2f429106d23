"""How a workflow's executions have gone, told by the API and counted in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool, current_tenant
from db.partitions import first_id
from db.statistics import ExecutionStatistics
from domain.access import Role
from domain.engine.ports import ExecutionStatus
from domain.ids import WorkflowId
from domain.statistics import Bucket, StatisticsPeriod, Tally, statistics, window_of
from tests.api.application import Caller, new_caller
from tests.api.operations import FAILS, finished, published

QUERY = """query ($id: ID!, $period: StatisticsPeriod! = HOUR) { workflow(id: $id) { statistics(period: $period) {
  since until bucketSeconds total successRate p50Ms p95Ms p99Ms counts { status count }
  buckets { at started completed failed cancelled } } } }"""


async def told(caller: Caller, workflow_id: str, **given: Any) -> Any:
    return (await caller.data(QUERY, id=workflow_id, **given))["workflow"]["statistics"]


def counted(answer: Any) -> dict[str, int]:
    return {each["status"]: each["count"] for each in answer["counts"] if each["count"]}


@pytest.mark.usefixtures("worker")
async def test_executions_are_counted_by_how_they_ended(developer: Caller) -> None:
    workflow_id = await published(developer, FAILS)
    other = await published(developer, FAILS, name="Another")
    for ok in (True, True, True, False):
        await finished(developer, workflow_id, input={"ok": ok})
    await finished(developer, workflow_id, input={"ok": False}, draft=True)
    await finished(developer, other, input={"ok": False})

    answer = await told(developer, workflow_id)

    assert (counted(answer), answer["total"], answer["successRate"]) == ({"COMPLETED": 3, "FAILED": 1}, 4, 0.75)
    assert 0 < answer["p50Ms"] <= answer["p95Ms"] <= answer["p99Ms"] < 20_000
    assert len(answer["buckets"]) == 60
    assert answer["bucketSeconds"] == 60
    sums = {
        key: sum(each[key] for each in answer["buckets"]) for key in ("started", "completed", "failed", "cancelled")
    }
    assert sums == {"started": 4, "completed": 3, "failed": 1, "cancelled": 0}


async def test_a_workflow_without_executions_has_zeros(developer: Caller) -> None:
    answer = await told(developer, await published(developer), period="MONTH")

    assert (answer["total"], answer["successRate"], answer["p50Ms"], answer["p99Ms"]) == (0, None, None, None)
    assert [each["status"] for each in answer["counts"]] == [status.value for status in ExecutionStatus]
    assert (len(answer["buckets"]), {each["started"] for each in answer["buckets"]}) == (30, {0})


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("role", list(Role))
async def test_every_role_may_ask_for_them(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    workflow_id = await published(developer)
    await finished(developer, workflow_id, input={"a": 1, "b": 2})

    answer = await told(await new_caller(engine_pool, http, developer.tenant, role), workflow_id)

    assert counted(answer) == {"COMPLETED": 1}


NOW = datetime(2026, 6, 17, 10, 30, 30, tzinfo=UTC)
WIDTHS = [
    (StatisticsPeriod.HOUR, 60, datetime(2026, 6, 17, 9, 31, tzinfo=UTC), datetime(2026, 6, 17, 10, 31, tzinfo=UTC)),
    (StatisticsPeriod.DAY, 24, datetime(2026, 6, 16, 11, tzinfo=UTC), datetime(2026, 6, 17, 11, tzinfo=UTC)),
    (StatisticsPeriod.WEEK, 28, datetime(2026, 6, 10, 12, tzinfo=UTC), datetime(2026, 6, 17, 12, tzinfo=UTC)),
    (StatisticsPeriod.MONTH, 30, datetime(2026, 5, 19, tzinfo=UTC), datetime(2026, 6, 18, tzinfo=UTC)),
]


@pytest.mark.parametrize(("period", "buckets", "since", "until"), WIDTHS)
def test_a_period_is_whole_buckets_to_the_end_of_the_present_one(
    period: StatisticsPeriod, buckets: int, since: datetime, until: datetime
) -> None:
    window = window_of(period, NOW)

    assert (window.since, window.until, len(statistics(window, None).buckets)) == (since, until, buckets)


async def test_durations_and_buckets_are_those_of_the_window_of_the_tenant(
    engine_pool: EnginePool, developer: Caller, stranger: Caller, app_db: None
) -> None:
    window = window_of(StatisticsPeriod.HOUR, NOW)
    workflow = WorkflowId(uuid.uuid7())
    minute = timedelta(minutes=1)
    for tenant in (developer.tenant.id, stranger.tenant.id):
        for number in range(100):
            begun = window.since + minute * (number % 10)
            await _row(engine_pool, tenant, workflow, begun, timedelta(seconds=number + 1), "COMPLETED")
    await _row(engine_pool, developer.tenant.id, workflow, window.since + minute, minute, "CANCELLED")
    await _row(engine_pool, developer.tenant.id, workflow, window.since + minute, None, "WAITING")
    for outside in (window.since - timedelta(seconds=1), window.until):
        await _row(engine_pool, developer.tenant.id, workflow, outside, minute, "FAILED")

    found = await _counted(developer, workflow)

    assert found.counts == {ExecutionStatus.COMPLETED: 100, ExecutionStatus.CANCELLED: 1, ExecutionStatus.WAITING: 1}
    durations = found.durations
    assert (durations.p50, durations.p95, durations.p99) == pytest.approx((51_000, 95_000, 99_000))
    assert found.buckets[0] == Bucket(at=window.since, started=10, completed=10)
    assert found.buckets[1] == Bucket(at=window.since + minute, started=12, completed=10, cancelled=1)
    assert len(found.buckets) == 10


async def _counted(caller: Caller, workflow: WorkflowId) -> Tally:
    current_tenant.set(caller.tenant.id)
    found = await ExecutionStatistics(caller.tenant.id).tallies([workflow], window_of(StatisticsPeriod.HOUR, NOW))
    return found[workflow]


async def _row(
    pool: EnginePool, tenant: object, workflow: WorkflowId, begun: datetime, took: timedelta | None, status: str
) -> None:
    identity = uuid.UUID(int=first_id(begun).int | (0x7 << 76) | (0b10 << 62) | (uuid.uuid7().int & ((1 << 60) - 1)))
    await pool.execute(
        """INSERT INTO execution (id, tenant_id, workflow_id, version_id, status, wants_owner, created_at, started_at,
             finished_at, trigger_type) VALUES ($1, $2, $3, $3, $4, false, $5, $5, $6, 'API')""",
        identity,
        tenant,
        workflow,
        status,
        begun,
        begun + took if took is not None else None,
    )
