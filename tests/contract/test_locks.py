"""Named locks: first come first served, as many at once as there are seats, freed whatever becomes of the holder."""

import asyncio

import pytest
import uuid_utils.compat as uuid

from db.claims import PostgresOwnership
from db.connections import EnginePool
from db.locks import PostgresLockDesk, PostgresLocks, begin_release, finish_release, release_locks
from db.sweeps import PostgresSweeping
from domain.engine.ports import ExecutionStatus, Release
from domain.ids import ExecutionId, TenantId
from domain.locks import Answer, Granted, LockRequest, Queued
from tests.contract.journals import journal_on
from tests.contract.ledger import Row, append, completed, new_worker, nobody_waits, owned, row_of, started
from tests.databases import make_tenant

LOCK_ROWS = "SELECT FROM execution WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"


@pytest.fixture
async def desk(engine_pool: EnginePool, tenant: TenantId) -> PostgresLockDesk:
    await nobody_waits(engine_pool)
    await engine_pool.execute("DELETE FROM lock_request")
    return PostgresLocks(engine_pool).desk(tenant)


def wish(execution: ExecutionId, name: str = "printer", *, path: str = "print", seats: int = 1) -> LockRequest:
    return LockRequest(execution_id=execution, path=path, name=name, seats=seats)


async def ask(desk: PostgresLockDesk, ids: list[ExecutionId], *, seats: int = 1) -> list[Answer]:
    """One after the other."""
    return [await desk.acquire(wish(each, seats=seats)) for each in ids]


async def told(pool: EnginePool) -> list[tuple[ExecutionId, str]]:
    """Whom the signals in the inbox tell of which lock, in order."""
    rows = await pool.fetch(
        """SELECT execution_id, payload ->> 'name' AS name, payload -> 'payload' ->> 'lock' AS lock
           FROM execution_inbox WHERE kind = 'signal' AND execution_id IN (SELECT execution_id FROM lock_request)
           ORDER BY id"""
    )
    assert {row["name"] for row in rows} <= {"lock:print"}
    return [(row["execution_id"], row["lock"]) for row in rows]


async def test_a_lock_is_served_in_the_order_of_asking(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=4)

    assert await ask(desk, ids) == [Granted(), Queued(1), Queued(2), Queued(3)]
    for index in range(3):
        await desk.release(ids[index], "print")
        assert await told(engine_pool) == [(ids[index + 1], "printer")]
        assert await desk.acquire(wish(ids[index + 1])) == Granted()


async def test_a_semaphore_lets_in_as_many_as_it_has_seats(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=6)

    assert await ask(desk, ids, seats=3) == [*[Granted()] * 3, Queued(1), Queued(2), Queued(3)]
    async with engine_pool.acquire() as connection, connection.transaction():
        woken = await release_locks(connection, [(ids[0], None), (ids[2], None)])

    assert sorted(woken) == sorted([(tenant, ids[3]), (tenant, ids[4])])
    assert await ask(desk, ids[3:], seats=3) == [Granted(), Granted(), Queued(1)]


async def test_asking_again_is_the_same_request_in_its_old_place(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=3)
    await ask(desk, ids)

    assert await ask(desk, ids) == [Granted(), Queued(1), Queued(2)]
    assert await engine_pool.fetchval("SELECT count(*) FROM lock_request") == 3


async def test_releasing_twice_frees_nobody_elses_place(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=3)
    await ask(desk, ids)

    await desk.release(ids[0], "print")
    await desk.release(ids[0], "print")

    assert await ask(desk, ids[1:]) == [Granted(), Queued(1)]


async def test_who_gives_up_waiting_is_passed_over(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=3)
    await ask(desk, ids)

    await desk.release(ids[1], "print")
    await desk.release(ids[0], "print")

    assert await told(engine_pool) == [(ids[2], "printer")]


async def test_names_steps_and_tenants_do_not_mix(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    one, other = await owned(engine_pool, tenant, count=2)
    stranger = await make_tenant(engine_pool)
    (theirs,) = await owned(engine_pool, stranger)

    assert await desk.acquire(wish(one)) == Granted()
    assert await desk.acquire(wish(other, "scanner")) == Granted()
    assert await PostgresLocks(engine_pool).desk(stranger).acquire(wish(theirs)) == Granted()
    assert await desk.acquire(wish(one, path="again")) == Queued(1)


async def test_who_waits_elsewhere_is_woken_in_the_transaction_that_releases(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    holder, waiter = await owned(engine_pool, tenant, count=2)
    await ask(desk, [holder, waiter])
    await PostgresOwnership(engine_pool).release(
        [Release(execution_id=waiter, epoch=1, status=ExecutionStatus.WAITING)]
    )

    async with engine_pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await release_locks(connection, [(holder, "print")]) == [(tenant, waiter)]
        assert await row_of(engine_pool, waiter) == Row(status="WAITING", epoch=1, owned=False, wants_owner=False)
        await transaction.commit()

    (claimed,) = await PostgresOwnership(engine_pool).claim(new_worker(), 10)
    assert (claimed.execution_id, [message.payload for message in claimed.inbox]) == (
        waiter,
        [{"name": "lock:print", "payload": {"lock": "printer"}}],
    )


async def test_who_does_not_leave_after_all_keeps_the_lock(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=2)
    await ask(desk, ids)

    async with engine_pool.acquire() as connection, connection.transaction():
        releasing = await begin_release(connection, [(ids[0], "print")])
        assert releasing is not None
        assert releasing.rows == {ids[1]}
        assert await finish_release(connection, releasing, []) == ()

    assert await ask(desk, ids) == [Granted(), Queued(1)]


async def test_the_locks_of_an_execution_that_is_over_or_gone_are_passed_on_by_the_sweep(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    over, gone, third, waiting_and_over = await owned(engine_pool, tenant, count=4)
    await ask(desk, [over, gone, waiting_and_over, third])
    async with journal_on(engine_pool) as journal:
        for each in (over, waiting_and_over):
            await journal.submit(append(each, tenant, 2, finished=completed({})))
    sweeping = PostgresSweeping(engine_pool)

    first = await sweeping.sweep()
    assert (tenant, gone) in first.due
    await engine_pool.execute("DELETE FROM execution WHERE id = $1", gone)
    second = await sweeping.sweep()
    assert (tenant, third) in second.due

    rows = await engine_pool.fetch("SELECT execution_id, granted_at IS NOT NULL AS granted FROM lock_request")
    assert [tuple(row) for row in rows] == [(third, True)]


async def test_a_holder_that_is_over_keeps_nobody_waiting_who_asks_after_the_sweep(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    over, next_one = await owned(engine_pool, tenant, count=2)
    await ask(desk, [over])
    async with journal_on(engine_pool) as journal:
        await journal.submit(append(over, tenant, 2, finished=completed({})))
    await PostgresSweeping(engine_pool).sweep()

    assert await ask(desk, [next_one]) == [Granted()]


async def test_of_fifty_that_ask_at_once_as_many_get_in_as_there_are_seats(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=50)

    answers = await asyncio.gather(*(desk.acquire(wish(each, seats=4)) for each in ids))

    assert answers.count(Granted()) == 4
    assert sorted(each.position for each in answers if isinstance(each, Queued)) == list(range(1, 47))


async def test_locks_that_change_hands_under_appends_to_the_same_executions_never_stand_still(
    desk: PostgresLockDesk, engine_pool: EnginePool, tenant: TenantId, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await owned(engine_pool, tenant, count=12)
    await asyncio.gather(*(desk.acquire(wish(each, seats=2)) for each in ids))
    appended = asyncio.Event()

    async def writing() -> None:
        async with journal_on(engine_pool) as journal:
            for seq in range(2, 60):
                await asyncio.gather(*(journal.submit(append(each, tenant, seq)) for each in ids))
        appended.set()

    async def passing_on() -> int:
        rounds = 0
        while not appended.is_set():
            holders = await engine_pool.fetch("SELECT execution_id FROM lock_request WHERE granted_at IS NOT NULL")
            leaving = [(row["execution_id"], "print") for row in holders]
            async with engine_pool.acquire() as connection, connection.transaction():
                if releasing := await begin_release(connection, leaving):
                    await connection.execute(LOCK_ROWS, [*{*ids, *releasing.rows}])
                    await finish_release(connection, releasing, leaving)
            for row in holders:
                await desk.acquire(wish(row["execution_id"], seats=2))
            rounds += 1
        return rounds

    async with asyncio.timeout(20):
        await asyncio.gather(writing(), passing_on(), passing_on())

    assert caplog.messages == [], "the journal would tell of a deadlock"
    assert await engine_pool.fetchval("SELECT count(*) FROM lock_request") == len(ids)
    assert await engine_pool.fetchval("SELECT count(*) FROM lock_request WHERE granted_at IS NOT NULL") == 2


async def test_nothing_is_done_for_executions_without_locks(engine_pool: EnginePool, tenant: TenantId) -> None:
    ids = await started(engine_pool, tenant, count=2)

    async with engine_pool.acquire() as connection, connection.transaction():
        assert await release_locks(connection, [(each, None) for each in ids]) == ()
        assert await release_locks(connection, [(ExecutionId(uuid.uuid7()), None)]) == ()
