"""Quotas: the last place is taken once, however many ask at once; tenants have nothing to do with each other."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool, tenant_scope
from db.connections import engine_pool as new_pool
from db.quotas import PostgresQuotas, Quotas, with_default_quotas
from db.starts import PostgresStarts
from db.streams import PostgresStreamDesk
from db.workflows import Workflows
from domain.graphs import Definition
from domain.ids import TenantId, WorkflowId
from domain.quotas import Quota, QuotaReached, next_period
from domain.starts import StartKey, StartStatus, TriggerType
from domain.streams import NewMessage
from domain.workflows import Workflow, WorkflowStatus
from tests.contract.ledger import new_execution
from tests.databases import make_tenant


@pytest.fixture
def store(engine_pool: EnginePool) -> PostgresQuotas:
    return PostgresQuotas(engine_pool)


@pytest.fixture
async def few(database: str) -> AsyncGenerator[EnginePool]:
    """Connections on which a tenant without quotas of its own may begin two executions a day."""
    pool = await new_pool(with_default_quotas(database, {Quota.EXECUTIONS_PER_DAY: 2}), 4)
    yield pool
    await pool.close()


async def start(pool: EnginePool, tenant: TenantId, count: int = 1) -> QuotaReached | None:
    """Executions begun now, all or none."""
    try:
        await PostgresStarts(pool).insert(tenant, [new_execution(created_at=utc_now()) for _ in range(count)])
    except QuotaReached as reached:
        return reached
    return None


async def begun(pool: EnginePool, tenant: TenantId) -> int:
    return await pool.fetchval("SELECT count(*) FROM execution WHERE tenant_id = $1", tenant)


async def used(tenant: TenantId, quota: Quota) -> tuple[int | None, int]:
    with tenant_scope(tenant):
        (state,) = [each for each in await Quotas(tenant).states(utc_now()) if each.quota is quota]
    return state.limit, state.used


@pytest.mark.parametrize("quota", [Quota.EXECUTIONS_PER_DAY, Quota.EXECUTIONS_PER_MONTH, Quota.EXECUTIONS_UNDER_WAY])
async def test_of_many_starts_at_once_as_many_begin_as_the_quota_has_places(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId, quota: Quota
) -> None:
    other = await make_tenant(engine_pool)
    assert await start(engine_pool, tenant, 2) is None
    await store.put(tenant, quota, 5)

    refusals = await asyncio.gather(*(start(engine_pool, tenant) for _ in range(12)))

    told = [each for each in refusals if each is not None]
    assert (len(told), await begun(engine_pool, tenant)) == (9, 5)
    assert {(each.quota, each.limit, each.used) for each in told} == {(quota, 5, 5)}
    assert await used(tenant, quota) == (5, 5)
    assert await start(engine_pool, other, 9) is None


async def test_a_start_of_several_is_refused_whole_and_uses_nothing(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 3)

    refusal = await start(engine_pool, tenant, 4)

    assert refusal is not None
    assert refusal.message == "The tenant may begin 3 executions a day (EXECUTIONS_PER_DAY); it uses 0"
    assert refusal.remedy == ("Wait for the next day (UTC), or have the operator raise the quota EXECUTIONS_PER_DAY.")
    assert refusal.retry_after is not None
    assert 0 < refusal.retry_after <= 86_400
    assert await begun(engine_pool, tenant) == 0
    assert await start(engine_pool, tenant, 3) is None


async def test_a_key_that_was_refused_is_free_and_one_that_repeats_uses_nothing(
    engine_pool: EnginePool, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 1)
    workflow, starts = WorkflowId(uuid.uuid7()), PostgresStarts(engine_pool)

    def keyed(key: str) -> StartKey:
        return StartKey(key=key, request_hash=b"x", expires_at=utc_now() + timedelta(hours=1))

    async def status(key: str) -> StartStatus:
        (result,) = await starts.insert(
            tenant, [new_execution(workflow=workflow, key=keyed(key), created_at=utc_now())]
        )
        return result.status

    assert [await status("a"), await status("a")] == [StartStatus.STARTED, StartStatus.REPEATED]
    with pytest.raises(QuotaReached):
        await status("b")
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 2)
    assert await status("b") is StartStatus.STARTED


async def test_what_another_execution_began_is_neither_refused_nor_counted(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 1)
    assert await start(engine_pool, tenant) is None

    children = [replace(new_execution(), trigger_type=each) for each in (TriggerType.PARENT, TriggerType.FAILURE)]
    await PostgresStarts(engine_pool).insert(tenant, children)

    assert await used(tenant, Quota.EXECUTIONS_PER_DAY) == (1, 1)


async def test_a_place_under_way_is_free_again_when_an_execution_is_over(
    engine_pool: EnginePool, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.EXECUTIONS_UNDER_WAY, 1)
    assert await start(engine_pool, tenant) is None
    assert await start(engine_pool, tenant) is not None

    await engine_pool.execute(
        "UPDATE execution SET status = 'COMPLETED', wants_owner = false, finished_at = now() WHERE tenant_id = $1",
        tenant,
    )

    assert await start(engine_pool, tenant) is None


async def test_yesterdays_count_is_forgotten(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 1)
    assert await start(engine_pool, tenant) is None
    await engine_pool.execute("UPDATE quota_use SET begins = begins - interval '1 day' WHERE tenant_id = $1", tenant)
    await engine_pool.execute("DELETE FROM execution WHERE tenant_id = $1", tenant)

    assert await start(engine_pool, tenant) is None

    assert await used(tenant, Quota.EXECUTIONS_PER_DAY) == (1, 1)
    assert await engine_pool.fetchval("SELECT count(*) FROM quota_use WHERE tenant_id = $1", tenant) == 1


async def test_a_default_holds_for_tenants_that_were_given_nothing_else(
    engine_pool: EnginePool, few: EnginePool, store: PostgresQuotas, tenant: TenantId
) -> None:
    free, ordinary = await make_tenant(engine_pool), await make_tenant(engine_pool)
    await store.put(tenant, Quota.EXECUTIONS_PER_DAY, 1)
    await store.put(free, Quota.EXECUTIONS_PER_DAY, None)

    assert [await start(few, each, 2) is None for each in (tenant, free, ordinary)] == [False, True, True]
    assert [await start(few, each) is None for each in (tenant, free, ordinary)] == [True, True, False]

    await store.reset(tenant, Quota.EXECUTIONS_PER_DAY)
    assert [await start(few, tenant) is None, await start(few, tenant) is None] == [True, False]


async def test_two_workflows_at_once_cannot_both_take_the_last_place(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.WORKFLOWS, 2)

    async def create(number: int) -> bool:
        now = utc_now()
        with tenant_scope(tenant):
            try:
                await Workflows(tenant).insert(workflow(f"w{number}", now))
            except QuotaReached:
                return False
        return True

    made = await asyncio.gather(*(create(number) for number in range(6)))

    assert (sum(made), await used(tenant, Quota.WORKFLOWS)) == (2, (2, 2))


async def test_a_stream_beyond_the_quota_is_not_begun_and_one_that_is_there_goes_on(
    engine_pool: EnginePool, app_db: None, store: PostgresQuotas, tenant: TenantId
) -> None:
    await store.put(tenant, Quota.STREAMS, 1)
    desk = PostgresStreamDesk(engine_pool, tenant, ids=uuid.uuid7, clock=utc_now)

    assert [await desk.publish(message("orders")), await desk.publish(message("orders"))] == [1, 2]
    with pytest.raises(QuotaReached) as refused:
        await desk.publish(message("returns"))

    assert (refused.value.quota, refused.value.limit, refused.value.used) == (Quota.STREAMS, 1, 1)
    assert await used(tenant, Quota.STREAMS) == (1, 1)


def test_periods_begin_anew_at_midnight_and_on_the_first_in_utc() -> None:
    new_years_eve = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert [next_period(each, new_years_eve) for each in Quota] == [
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        *[None] * 5,
    ]


def workflow(name: str, now: datetime) -> Workflow:
    return Workflow(
        id=WorkflowId(uuid.uuid7()),
        name=name,
        status=WorkflowStatus.DRAFT,
        revision=1,
        draft=Definition(),
        created_at=now,
        updated_at=now,
    )


def message(stream: str) -> NewMessage:
    return NewMessage(stream=stream, payload=1, published_by="execution_1", idempotency_key=uuid.uuid7().hex)
