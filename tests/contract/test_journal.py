"""The journal: what it acknowledges is in the log once, in order, and never beside another owner's events."""

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from db.connections import EnginePool
from db.journal import PostgresJournal
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus, JournalRefused, LostOwnership
from domain.ids import ExecutionId, TenantId
from domain.json import JSON
from tests.contract.journals import Announced, journal_on
from tests.contract.ledger import (
    NOW,
    Row,
    append,
    completed,
    log_of,
    owned,
    row_of,
    step,
    take_over,
    until,
)
from tests.contract.onlooker import BLOCKED, onlooking


def _seen(future: asyncio.Future[None]) -> None:
    """An error that the next append of the same execution tells too."""
    future.exception()


@pytest.fixture
def announced() -> Announced:
    return Announced()


@pytest.fixture
async def journal(engine_pool: EnginePool, announced: Announced) -> AsyncGenerator[PostgresJournal]:
    async with journal_on(engine_pool, announced) as journal:
        yield journal


async def test_an_append_is_in_the_log_when_its_future_resolves(
    journal: PostgresJournal, announced: Announced, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    event = Event(
        seq=2,
        kind=EventKind.STEP_FAILED,
        at=NOW,
        epoch=1,
        node="price",
        path="loop[3].price",
        attempt=2,
        payload={"error": {"code": "TIMEOUT"}, "big": 2**80, "text": "a\0b\ud800c"},
    )
    future = journal.submit(append(execution, tenant, event))
    await future
    row = await engine_pool.fetchrow("SELECT * FROM execution_event WHERE execution_id = $1 AND seq = 2", execution)
    assert row is not None
    assert dict(row) == {
        "execution_id": execution,
        "seq": 2,
        "tenant_id": tenant,
        "epoch": 1,
        "kind": "STEP_FAILED",
        "node": "price",
        "path": "loop[3].price",
        "attempt": 2,
        "payload": f'{{"error":{{"code":"TIMEOUT"}},"big":{2**80},"text":"a\ufffdb\ufffdc"}}',
        "at": NOW,
    }
    await asyncio.sleep(0)
    assert announced.batches == [[(execution, 2)]]


async def test_what_gathers_becomes_one_batch_in_the_order_of_submission(
    journal: PostgresJournal, announced: Announced, engine_pool: EnginePool, tenant: TenantId
) -> None:
    first, second = await owned(engine_pool, tenant, count=2)
    appends = [append(execution, tenant, seq) for seq in range(2, 12) for execution in (first, second)]
    resolved: list[int] = []
    futures = [journal.submit(each) for each in appends]
    for index, future in enumerate(futures):
        future.add_done_callback(lambda _, index=index: resolved.append(index))
    await asyncio.gather(*futures)
    await asyncio.sleep(0)
    assert resolved == list(range(20))
    assert announced.batches == [[(each.execution_id, each.events[0].seq) for each in appends]]
    assert await log_of(engine_pool, first) == [(1, 0), *((seq, 1) for seq in range(2, 12))]
    assert await log_of(engine_pool, second) == [(1, 0), *((seq, 1) for seq in range(2, 12))]


async def test_a_batch_has_at_most_so_many_events(
    engine_pool: EnginePool, announced: Announced, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    async with journal_on(engine_pool, announced, max_batch=4) as journal:
        await asyncio.gather(*(journal.submit(append(execution, tenant, seq)) for seq in range(2, 12)))
        await journal.submit(append(execution, tenant, *range(12, 18)))
    assert [len(batch) for batch in announced.batches] == [4, 4, 2, 1]
    assert await log_of(engine_pool, execution) == [(1, 0), *((seq, 1) for seq in range(2, 18))]


async def test_a_finished_execution_keeps_its_result_and_nothing_else(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    for statement in (
        "INSERT INTO wake_up (execution_id, path, tenant_id, due_at) VALUES ($1, 'wait', $2, now())",
        "INSERT INTO execution_state (execution_id, tenant_id, seq, state) VALUES ($1, $2, 1, '{}')",
        "INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)"
        " VALUES ($1, $2, 'signal', 'a', '{}', now())",
    ):
        await engine_pool.execute(statement, execution, tenant)
    await journal.submit(append(execution, tenant, 2, finished=completed({"total": 3})))
    row = await engine_pool.fetchrow(
        "SELECT status, owner, wants_owner, epoch, output, error, finished_at FROM execution WHERE id = $1", execution
    )
    assert row is not None
    assert dict(row) == {
        "status": "COMPLETED",
        "owner": None,
        "wants_owner": False,
        "epoch": 1,
        "output": '{"total":3}',
        "error": None,
        "finished_at": completed({}).at,
    }
    for table in ("wake_up", "execution_state", "execution_inbox"):
        assert not await engine_pool.fetchval(f"SELECT count(*) FROM {table} WHERE execution_id = $1", execution)


async def test_nothing_is_appended_to_a_finished_execution(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await journal.submit(append(execution, tenant, 2, finished=completed({})))
    with pytest.raises(LostOwnership):
        await journal.submit(append(execution, tenant, 3))
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 1)]


async def test_messages_are_consumed_and_the_status_changed_with_their_events(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    rows = await engine_pool.fetch(
        "INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)"
        " SELECT $1, $2, 'pause', key, '{}', now() FROM unnest('{a,b}'::text[]) AS key RETURNING id",
        execution,
        tenant,
    )
    first, second = (row["id"] for row in rows)
    await journal.submit(append(execution, tenant, 2, consumed=[first], status=ExecutionStatus.PAUSED))
    left = await engine_pool.fetch("SELECT id FROM execution_inbox WHERE execution_id = $1", execution)
    assert [row["id"] for row in left] == [second]
    assert await row_of(engine_pool, execution) == Row(status="PAUSED", epoch=1, owned=True, wants_owner=False)


async def test_a_lost_execution_takes_nothing_of_the_old_owner(
    journal: PostgresJournal, announced: Announced, engine_pool: EnginePool, tenant: TenantId
) -> None:
    lost, kept = await owned(engine_pool, tenant, count=2)
    message = await engine_pool.fetchval(
        "INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)"
        " VALUES ($1, $2, 'signal', 'a', '{}', now()) RETURNING id",
        lost,
        tenant,
    )
    await take_over(engine_pool, [lost], epoch=2)
    results = await asyncio.gather(
        journal.submit(append(lost, tenant, 2, 3, 4, consumed=[message])),
        journal.submit(append(kept, tenant, 2)),
        journal.submit(append(lost, tenant, 5, finished=completed({}))),
        return_exceptions=True,
    )
    await asyncio.sleep(0)
    assert [type(result) for result in results] == [LostOwnership, type(None), LostOwnership]
    assert announced.batches == [[(kept, 2)]]
    assert await log_of(engine_pool, lost) == [(1, 0)]
    assert await row_of(engine_pool, lost) == Row(status="RUNNING", epoch=2, owned=True, wants_owner=False)
    assert await engine_pool.fetchval("SELECT count(*) FROM execution_inbox WHERE id = $1", message) == 1


async def test_an_append_that_was_on_its_way_during_a_takeover_comes_too_late(
    journal: PostgresJournal, database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    async with onlooking(database) as onlooker, engine_pool.acquire() as new_owner, new_owner.transaction():
        await new_owner.execute("UPDATE execution SET epoch = 2 WHERE id = $1", execution)
        future = journal.submit(append(execution, tenant, 2, 3))
        await until(onlooker, BLOCKED, 1)
    with pytest.raises(LostOwnership):
        await future
    assert await log_of(engine_pool, execution) == [(1, 0)]


async def test_the_logs_key_alone_keeps_an_execution_whole(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    """Even where the row would let the append pass, another writer's event in its place refuses all of it."""
    (execution,) = await owned(engine_pool, tenant, epoch=3)
    await engine_pool.execute(
        "INSERT INTO execution_event (execution_id, seq, tenant_id, epoch, kind, payload, at)"
        " VALUES ($1, 2, $2, 2, 'ADOPTED', '{}', now())",
        execution,
        tenant,
    )
    with pytest.raises(LostOwnership):
        await journal.submit(append(execution, tenant, 2, 3, 4, epoch=3, finished=completed({})))
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 2)]
    assert (await row_of(engine_pool, execution)).status == "RUNNING"


async def test_a_lost_execution_is_refused_until_it_is_forgotten_or_claimed_again(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant, epoch=2)
    with pytest.raises(LostOwnership):
        await journal.submit(append(execution, tenant, 2, epoch=1))
    refused = journal.submit(append(execution, tenant, 2, epoch=1))
    assert refused.done()
    with pytest.raises(LostOwnership):
        await refused
    await journal.submit(append(execution, tenant, 2, epoch=2))
    journal.forget(execution)
    late = journal.submit(append(execution, tenant, 3, epoch=1))
    assert not late.done()
    with pytest.raises(LostOwnership):
        await late
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 2)]


async def test_two_ownerships_of_one_process_in_the_queue_at_once_keep_their_own_fences(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant, epoch=2)
    results = await asyncio.gather(
        journal.submit(append(execution, tenant, 2, 3, epoch=1)),
        journal.submit(append(execution, tenant, 2, 3, epoch=2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [LostOwnership, type(None)]
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 2), (3, 2)]


async def test_two_journals_never_mix_in_one_log(engine_pool: EnginePool, tenant: TenantId) -> None:
    """Old owners write as fast as they can while their executions are taken over, one by one, by a new one."""
    ids = await owned(engine_pool, tenant, count=30)
    written: dict[ExecutionId, int] = {}
    lost: set[ExecutionId] = set()

    async def write(journal: PostgresJournal, execution: ExecutionId, seq: int, epoch: int, steps: int) -> None:
        try:
            for number in range(seq, seq + 2 * steps, 4):
                journal.submit(append(execution, tenant, number, number + 1, epoch=epoch)).add_done_callback(_seen)
                await journal.submit(append(execution, tenant, number + 2, number + 3, epoch=epoch))
        except LostOwnership:
            lost.add(execution)
        else:
            written[execution] = seq + 2 * steps - 1

    async with journal_on(engine_pool, Announced()) as old, journal_on(engine_pool, Announced()) as new:
        writers = [asyncio.create_task(write(old, execution, 2, 1, 400)) for execution in ids]
        for execution in ids:
            await take_over(engine_pool, [execution], epoch=2)
            last = await engine_pool.fetchval("SELECT max(seq) FROM execution_event WHERE execution_id = $1", execution)
            await write(new, execution, last + 1, 2, 6)
        await asyncio.gather(*writers)
    assert lost == set(ids)
    for execution in ids:
        log = await log_of(engine_pool, execution)
        assert [seq for seq, _ in log] == list(range(1, written[execution] + 1))
        assert [epoch for _, epoch in log[-12:]] == [2] * 12
        assert {epoch for _, epoch in log[1:-12]} <= {1}


@pytest.mark.parametrize(
    "unstorable",
    [step(3, path="a\0b"), step(3, {"value": 10**5000}), step(3, {"value": cast("JSON", object())})],
    ids=["the database refuses it", "no JSON writer takes it", "it is no JSON"],
)
async def test_what_cannot_be_stored_stops_its_execution_alone(
    unstorable: Event, journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    bad, *good = await owned(engine_pool, tenant, count=8)
    results = await asyncio.gather(
        journal.submit(append(bad, tenant, 2)),
        *(journal.submit(append(execution, tenant, 2)) for execution in good[:4]),
        journal.submit(append(bad, tenant, unstorable)),
        journal.submit(append(bad, tenant, 4)),
        *(journal.submit(append(execution, tenant, 2)) for execution in good[4:]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [*[type(None)] * 5, JournalRefused, LostOwnership, *[type(None)] * 3]
    assert await log_of(engine_pool, bad) == [(1, 0), (2, 1)]
    assert await row_of(engine_pool, bad) == Row(status="RUNNING", epoch=2, owned=False, wants_owner=True)
    for execution in good:
        assert await log_of(engine_pool, execution) == [(1, 0), (2, 1)]
    with pytest.raises(LostOwnership):
        await journal.submit(append(bad, tenant, 5))
    await journal.submit(append(good[0], tenant, 3))


async def test_an_append_whose_caller_went_away_is_written_all_the_same(
    journal: PostgresJournal, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    journal.submit(append(execution, tenant, 2)).cancel()
    await journal.submit(append(execution, tenant, 3))
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 1), (3, 1)]


async def test_closing_writes_what_is_queued_and_takes_nothing_more(
    engine_pool: EnginePool, announced: Announced, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    journal = PostgresJournal(engine_pool, on_committed=announced)
    journal.start()
    future = journal.submit(append(execution, tenant, 2))
    await journal.close()
    assert future.done()
    with pytest.raises(RuntimeError, match="closed"):
        journal.submit(append(execution, tenant, 3))
    assert await log_of(engine_pool, execution) == [(1, 0), (2, 1)]
