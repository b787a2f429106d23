"""Proof of life: a worker's row is renewed while its event loop turns, and not when it is stuck."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from db.connections import EnginePool
from db.liveness import Heartbeat, PostgresLiveness
from domain.ids import TenantId, WorkerId
from tests.contract.ledger import NOW, PATIENCE, Row, new_worker, row_of, started, until
from tests.contract.severing import severed_way

RENEWED = "SELECT seen_at > $2 FROM worker WHERE id = $1"


@asynccontextmanager
async def beating(dsn: str, pool: EnginePool, worker: WorkerId) -> AsyncGenerator[Heartbeat]:
    await PostgresLiveness(pool).register(worker, NOW, host="here", pid=1)
    heartbeat = Heartbeat(dsn, worker, every=0.02, stuck_after=0.1, trusted_for=0.5)
    heartbeat.start()
    try:
        yield heartbeat
    finally:
        await asyncio.to_thread(heartbeat.stop)  # its last words may go through this loop


async def seen_at(pool: EnginePool, worker: WorkerId) -> object:
    return await pool.fetchval("SELECT seen_at FROM worker WHERE id = $1", worker)


async def health(heartbeat: Heartbeat, expected: bool) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if heartbeat.healthy is expected:
                return
            await asyncio.sleep(0)


async def test_a_worker_is_renewed_again_and_again(database: str, engine_pool: EnginePool) -> None:
    worker = new_worker()
    async with beating(database, engine_pool, worker) as heartbeat:
        for _ in range(3):
            await until(engine_pool, RENEWED, worker, await seen_at(engine_pool, worker))
        assert heartbeat.healthy


async def test_a_stuck_event_loop_is_no_longer_healthy_and_recovers(database: str, engine_pool: EnginePool) -> None:
    worker = new_worker()
    async with beating(database, engine_pool, worker) as heartbeat:
        await until(engine_pool, RENEWED, worker, await seen_at(engine_pool, worker))
        stuck_until = time.monotonic() + PATIENCE
        while heartbeat.healthy:  # the loop does not turn meanwhile
            assert time.monotonic() < stuck_until
        await until(engine_pool, RENEWED, worker, await seen_at(engine_pool, worker))
        await health(heartbeat, True)


async def test_a_heartbeat_outlives_its_connection(database: str, engine_pool: EnginePool) -> None:
    worker = new_worker()
    async with severed_way(database) as way, beating(way.dsn, engine_pool, worker) as heartbeat:
        await until(engine_pool, RENEWED, worker, await seen_at(engine_pool, worker))
        way.refusing = True
        way.cut_now()
        await health(heartbeat, False)
        way.refusing = False
        await until(engine_pool, RENEWED, worker, await seen_at(engine_pool, worker))


async def test_a_worker_that_was_taken_for_long_dead_is_there_again(database: str, engine_pool: EnginePool) -> None:
    worker = new_worker()
    async with beating(database, engine_pool, worker):
        await engine_pool.execute("DELETE FROM worker WHERE id = $1", worker)
        await until(engine_pool, "SELECT count(*) = 1 FROM worker WHERE id = $1", worker)


async def test_registering_says_who_and_where(engine_pool: EnginePool) -> None:
    worker = new_worker()
    await PostgresLiveness(engine_pool).register(worker, NOW, host="here", pid=7)
    row = await engine_pool.fetchrow(
        "SELECT started_at, host, pid, seen_at > now() - interval '10 seconds' AS fresh FROM worker WHERE id = $1",
        worker,
    )
    assert row is not None
    assert tuple(row) == (NOW, "here", 7, True)


async def test_retiring_leaves_everything_to_others_at_once(engine_pool: EnginePool, tenant: TenantId) -> None:
    worker, other = new_worker(), new_worker()
    liveness = PostgresLiveness(engine_pool)
    await liveness.register(worker, NOW, host="here", pid=1)
    mine, theirs = await started(engine_pool, tenant, count=2)
    for execution, owner in ((mine, worker), (theirs, other)):
        await engine_pool.execute(
            "UPDATE execution SET owner = $2, epoch = 1, wants_owner = false, status = 'RUNNING' WHERE id = $1",
            execution,
            owner,
        )
    await liveness.retire(worker)
    assert await row_of(engine_pool, mine) == Row(status="RUNNING", epoch=1, owned=False, wants_owner=True)
    assert await row_of(engine_pool, theirs) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)
    assert not await engine_pool.fetchval("SELECT count(*) FROM worker WHERE id = $1", worker)
