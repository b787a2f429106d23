"""Finding what was forgotten: executions of the dead, due wake-ups, starts that nobody heard of."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from db.claims import PostgresOwnership
from db.connections import EnginePool
from db.liveness import PostgresLiveness
from db.sweeps import PostgresSweeping
from domain.engine.ports import Swept
from domain.ids import ExecutionId, TenantId, WorkerId
from tests.contract.ledger import NOW, Row, new_execution, new_worker, nobody_waits, owned, row_of, started


@pytest.fixture
async def sweeping(engine_pool: EnginePool) -> PostgresSweeping:
    await nobody_waits(engine_pool)
    return PostgresSweeping(engine_pool)


async def worker_seen(pool: EnginePool, ago: timedelta) -> WorkerId:
    worker = new_worker()
    await PostgresLiveness(pool).register(worker, NOW, host="here", pid=1)
    await pool.execute("UPDATE worker SET seen_at = clock_timestamp() - $2::interval WHERE id = $1", worker, ago)
    return worker


async def claimed_by(pool: EnginePool, tenant: TenantId, worker: WorkerId, count: int = 1) -> list[ExecutionId]:
    ids = await started(pool, tenant, count=count)
    await PostgresOwnership(pool).claim(worker, count, only=ids)
    return ids


async def wake_up(pool: EnginePool, tenant: TenantId, ids: Sequence[ExecutionId], due_in: timedelta) -> None:
    await pool.execute(
        "INSERT INTO wake_up (execution_id, path, tenant_id, due_at)"
        " SELECT id, path, $2, clock_timestamp() + $3::interval"
        " FROM unnest($1::uuid[]) AS id, unnest('{a,b}'::text[]) AS path",
        ids,
        tenant,
        due_in,
    )


async def asleep(pool: EnginePool, tenant: TenantId, count: int = 1) -> list[ExecutionId]:
    """Executions that wait, owned by nobody and claimable by nobody."""
    ids = await started(pool, tenant, count=count)
    await pool.execute("UPDATE execution SET status = 'WAITING', wants_owner = false WHERE id = ANY ($1)", ids)
    return ids


async def test_executions_of_a_dead_worker_become_claimable_and_those_of_a_living_one_do_not(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (orphan,) = await claimed_by(engine_pool, tenant, await worker_seen(engine_pool, timedelta(seconds=6)))
    (kept,) = await claimed_by(engine_pool, tenant, await worker_seen(engine_pool, timedelta(seconds=4)))
    assert await sweeping.sweep() == Swept(orphans=((tenant, orphan),))
    assert await row_of(engine_pool, orphan) == Row(status="RUNNING", epoch=1, owned=False, wants_owner=True)
    assert await row_of(engine_pool, kept) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)


async def test_executions_of_a_worker_that_nobody_knows_are_orphans(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=3)
    swept = await sweeping.sweep()
    assert sorted(swept.orphans) == [(tenant, execution) for execution in ids]


async def test_a_due_wake_up_makes_its_execution_claimable_once(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    due, later = await asleep(engine_pool, tenant, count=2)
    await wake_up(engine_pool, tenant, [due], -timedelta(seconds=1))
    await wake_up(engine_pool, tenant, [later], timedelta(minutes=1))
    assert await sweeping.sweep() == Swept(due=((tenant, due),))
    assert await row_of(engine_pool, due) == Row(status="WAITING", epoch=0, owned=False, wants_owner=True)
    assert await row_of(engine_pool, later) == Row(status="WAITING", epoch=0, owned=False, wants_owner=False)
    left = await engine_pool.fetch("SELECT DISTINCT execution_id FROM wake_up WHERE tenant_id = $1", tenant)
    assert [row["execution_id"] for row in left] == [later]


async def test_a_due_wake_up_of_an_owned_execution_only_goes(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await claimed_by(engine_pool, tenant, await worker_seen(engine_pool, timedelta()))
    await wake_up(engine_pool, tenant, ids, -timedelta(seconds=1))
    assert await sweeping.sweep() == Swept()
    assert await row_of(engine_pool, ids[0]) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)
    assert not await engine_pool.fetchval("SELECT count(*) FROM wake_up WHERE tenant_id = $1", tenant)


async def test_a_start_that_nobody_claimed_for_a_while_is_told_again(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    now = datetime.now(UTC)
    old, young = (new_execution(created_at=now - timedelta(seconds=age)) for age in (30, 0))
    await started(engine_pool, tenant, old, young)
    expected = Swept(forgotten=((tenant, old.id),))
    assert await sweeping.sweep(pending_after=20) == expected
    assert await sweeping.sweep(pending_after=20) == expected


async def test_a_sweep_takes_no_more_than_its_limit(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await owned(engine_pool, tenant, count=5)
    assert [len((await sweeping.sweep(limit=2)).orphans) for _ in range(4)] == [2, 2, 1, 0]


async def test_several_sweepers_at_once_share_the_work(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    orphans = await owned(engine_pool, tenant, count=40)
    due = await asleep(engine_pool, tenant, count=300)
    await wake_up(engine_pool, tenant, due, -timedelta(seconds=1))
    sweeps = [*await asyncio.gather(*(sweeping.sweep() for _ in range(8))), await sweeping.sweep()]
    assert sorted(execution for swept in sweeps for _, execution in swept.orphans) == orphans
    assert sorted(execution for swept in sweeps for _, execution in swept.due) == due


async def test_workers_unseen_for_an_hour_are_forgotten_unless_they_own_something(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    gone, owner, recent = [
        await worker_seen(engine_pool, ago)
        for ago in (timedelta(minutes=61), timedelta(minutes=61), timedelta(minutes=59))
    ]
    await claimed_by(engine_pool, tenant, owner)
    workers = "SELECT count(*) FROM worker WHERE id = ANY ($1)"
    await sweeping.sweep()
    assert await engine_pool.fetchval(workers, [gone, owner, recent]) == 2
    await sweeping.sweep()
    assert await engine_pool.fetchval(workers, [gone, owner, recent]) == 1


async def test_a_message_that_came_as_its_execution_finished_does_not_stay(
    sweeping: PostgresSweeping, engine_pool: EnginePool, tenant: TenantId
) -> None:
    over, alive = await asleep(engine_pool, tenant, count=2)
    await engine_pool.execute("UPDATE execution SET status = 'COMPLETED', finished_at = now() WHERE id = $1", over)
    await engine_pool.execute(
        "INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)"
        " SELECT id, $2, 'signal', 'a', '{}', now() FROM unnest($1::uuid[]) AS id",
        [over, alive],
        tenant,
    )
    await sweeping.sweep()
    left = await engine_pool.fetch("SELECT execution_id FROM execution_inbox WHERE tenant_id = $1", tenant)
    assert [row["execution_id"] for row in left] == [alive]
