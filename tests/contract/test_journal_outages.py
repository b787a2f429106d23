"""The journal while PostgreSQL goes away and comes back: nothing acknowledged is lost, nothing is written twice."""

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from db import connections
from db.connections import Connection, EnginePool
from db.journal import PostgresJournal
from domain.engine.ports import LostOwnership
from domain.ids import ExecutionId, TenantId
from tests.contract.journals import Announced, journal_on
from tests.contract.ledger import PATIENCE, append, completed, log_of, owned, row_of, take_over, until
from tests.contract.onlooker import BLOCKED, onlooking
from tests.contract.severing import SeveredWay, severed_way

WRITING = """
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%), refused AS (%'
"""
"""The batches that the server is just writing."""


@pytest.fixture
def announced() -> Announced:
    return Announced()


@pytest.fixture
async def way(database: str) -> AsyncGenerator[SeveredWay]:
    async with severed_way(database) as way:
        yield way


@pytest.fixture
async def remote(way: SeveredWay, announced: Announced) -> AsyncGenerator[PostgresJournal]:
    """A journal whose way to PostgreSQL can be cut."""
    pool = await connections.engine_pool(way.dsn, 2)
    async with journal_on(pool, announced) as journal:
        yield journal
    await pool.close()


async def test_nothing_is_lost_or_doubled_when_connections_are_killed_in_the_middle_of_batches(
    database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=10)
    killed = 0

    async def write(execution: ExecutionId) -> int:
        seq = 2
        while killed < 5:
            await journal.submit(append(execution, tenant, seq, seq + 1))
            seq += 2
        return seq

    async def kill(onlooker: Connection) -> None:
        nonlocal killed
        async with asyncio.timeout(PATIENCE):
            while killed < 5:
                killed += await onlooker.fetchval(f"SELECT count(pg_terminate_backend(pid)) {WRITING}")

    async with journal_on(engine_pool) as journal, onlooking(database) as onlooker:
        *ends, _ = await asyncio.gather(*(write(execution) for execution in ids), kill(onlooker))
    for execution, end in zip(ids, ends, strict=True):
        assert await log_of(engine_pool, execution) == [(1, 0), *((seq, 1) for seq in range(2, cast("int", end)))]


async def test_a_batch_whose_answer_was_lost_counts_as_written(
    remote: PostgresJournal, way: SeveredWay, announced: Announced, engine_pool: EnginePool, tenant: TenantId
) -> None:
    first, second = await owned(engine_pool, tenant, count=2)
    await remote.submit(append(first, tenant, 2))
    way.cut_answer_to = b"STEP_COMPLETED"
    await asyncio.gather(
        remote.submit(append(first, tenant, 3, 4)),
        remote.submit(append(second, tenant, 2, finished=completed({"done": True}))),
    )
    assert way.cuts == 1
    await asyncio.sleep(0)
    assert announced.batches == [[(first, 2)], [(first, 3), (second, 2)]]
    assert await log_of(engine_pool, first) == [(1, 0), (2, 1), (3, 1), (4, 1)]
    assert await log_of(engine_pool, second) == [(1, 0), (2, 1)]
    assert (await row_of(engine_pool, second)).status == "COMPLETED"


async def test_a_batch_that_never_arrived_is_sent_again(
    remote: PostgresJournal, way: SeveredWay, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await remote.submit(append(execution, tenant, 2))
    way.cut_now()
    await remote.submit(append(execution, tenant, 3))
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 1), (3, 1)]


async def test_a_batch_that_arrives_after_it_was_looked_for_is_not_doubled_and_not_lost(
    remote: PostgresJournal, way: SeveredWay, database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await remote.submit(append(execution, tenant, 2))
    async with onlooking(database) as onlooker, engine_pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM execution WHERE id = $1 FOR UPDATE", execution)
        future = remote.submit(append(execution, tenant, 3, 4))
        await until(onlooker, BLOCKED, 1)
        way.cut_now()
        await until(onlooker, BLOCKED, 2)
    await future
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 1), (3, 1), (4, 1)]


async def test_what_was_taken_over_during_an_outage_is_lost(
    remote: PostgresJournal, way: SeveredWay, engine_pool: EnginePool, tenant: TenantId
) -> None:
    lost, kept = await owned(engine_pool, tenant, count=2)
    await remote.submit(append(lost, tenant, 2))
    way.cut_now()
    await take_over(engine_pool, [lost], epoch=2)
    results = await asyncio.gather(
        remote.submit(append(lost, tenant, 3)), remote.submit(append(kept, tenant, 2)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LostOwnership, type(None)]
    assert await log_of(engine_pool, lost) == [(1, 0), (2, 1)]


async def test_closing_while_the_database_is_away_gives_up_in_the_end(way: SeveredWay, tenant: TenantId) -> None:
    pool = await connections.engine_pool(way.dsn, 2)
    journal = PostgresJournal(pool, on_committed=Announced())
    journal.start()
    way.refusing = True
    way.cut_now()
    future = journal.submit(append(ExecutionId(tenant), tenant, 2))
    await journal.close(patience=0.2)
    assert future.cancelled()
    await pool.close()
