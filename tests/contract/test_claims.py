"""Owning executions: one owner at a time, tenants in turn, and no letting go while a message waits."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
import uuid_utils.compat as uuid

from db import connections
from db.claims import PostgresOwnership
from db.connections import EnginePool
from db.inbox import PostgresInbox
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus, InboxKind, InboxMessage, Release, WakeUp
from domain.ids import ExecutionId, TenantId
from tests.contract.journals import journal_on
from tests.contract.ledger import (
    NOW,
    Row,
    append,
    completed,
    new_execution,
    new_worker,
    nobody_waits,
    owned,
    row_of,
    started,
    step,
    take_over,
    until,
)
from tests.contract.onlooker import BLOCKED, onlooking
from tests.contract.severing import severed_way


@pytest.fixture
async def ownership(engine_pool: EnginePool) -> PostgresOwnership:
    await nobody_waits(engine_pool)
    return PostgresOwnership(engine_pool)


@pytest.fixture
def tenants() -> list[TenantId]:
    return [TenantId(uuid.uuid7()) for _ in range(3)]


def waiting(execution: ExecutionId, *, epoch: int = 1, wake_ups: Sequence[WakeUp] = ()) -> Release:
    return Release(execution_id=execution, epoch=epoch, status=ExecutionStatus.WAITING, wake_ups=wake_ups)


async def wake_ups_of(pool: EnginePool, execution: ExecutionId) -> list[WakeUp]:
    rows = await pool.fetch("SELECT path, due_at FROM wake_up WHERE execution_id = $1 ORDER BY path", execution)
    return [WakeUp(path=row["path"], due_at=row["due_at"]) for row in rows]


async def test_a_claim_brings_the_whole_log_and_the_inbox(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    new = new_execution(priority=3)
    await started(engine_pool, tenant, new)
    await PostgresInbox(engine_pool).post(tenant, new.id, InboxKind.PAUSE, "1", {"by": "user_01"})
    (claimed,) = await ownership.claim(new_worker(), 10)
    assert (claimed.execution_id, claimed.tenant_id, claimed.workflow_id) == (new.id, tenant, new.workflow_id)
    assert (claimed.version_id, claimed.epoch, claimed.priority) == (new.version_id, 1, 3)
    assert (claimed.snapshot, claimed.snapshot_seq) == (None, 0)
    assert claimed.events == [Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=NOW, payload={"input": None})]
    (message,) = claimed.inbox
    assert message == InboxMessage(
        id=message.id, execution_id=new.id, kind=InboxKind.PAUSE, key="1", payload={"by": "user_01"}
    )
    assert await row_of(engine_pool, new.id) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)


async def test_a_claim_brings_a_snapshot_and_only_the_events_after_it(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await started(engine_pool, tenant)
    (first,) = await ownership.claim(new_worker(), 1)
    async with journal_on(engine_pool) as journal:
        await journal.submit(append(first.execution_id, tenant, 2, 3, step(4, {"output": [1, None]})))
    await ownership.save_snapshot(first.execution_id, 3, {"seq": 3})
    await ownership.save_snapshot(first.execution_id, 2, {"seq": 2})
    release = Release(execution_id=first.execution_id, epoch=1, status=ExecutionStatus.PENDING)
    assert await ownership.release([release]) == []
    (second,) = await ownership.claim(new_worker(), 1)
    assert (second.epoch, second.snapshot, second.snapshot_seq) == (2, {"seq": 3}, 3)
    assert second.events == [
        Event(
            seq=4,
            kind=EventKind.STEP_COMPLETED,
            at=NOW,
            epoch=1,
            node="price",
            path="price",
            attempt=1,
            payload={"output": [1, None]},
        )
    ]


async def test_tenants_take_turns_however_much_each_has(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenants: list[TenantId]
) -> None:
    for tenant, count in zip(tenants, (40, 2, 40), strict=True):
        await started(engine_pool, tenant, count=count)
    first = await ownership.claim(new_worker(), 6)
    assert Counter(claim.tenant_id for claim in first) == dict.fromkeys(tenants, 2)
    assert [claim.tenant_id for claim in first] == tenants * 2
    second = await ownership.claim(new_worker(), 21)
    assert Counter(claim.tenant_id for claim in second) == {tenants[0]: 11, tenants[2]: 10}


async def test_what_some_tenants_do_not_need_goes_to_the_others(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenants: list[TenantId]
) -> None:
    for tenant, count in zip(tenants, (1, 30, 2), strict=True):
        await started(engine_pool, tenant, count=count)
    claimed = await ownership.claim(new_worker(), 20)
    assert Counter(claim.tenant_id for claim in claimed) == {tenants[0]: 1, tenants[1]: 17, tenants[2]: 2}


async def test_a_worker_with_little_room_serves_every_tenant(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenants: list[TenantId]
) -> None:
    for tenant in tenants:
        await started(engine_pool, tenant, count=3)
    served = [(await ownership.claim(new_worker(), 1))[0].tenant_id for _ in range(9)]
    assert served == tenants * 3


async def test_the_most_urgent_come_first_then_the_oldest(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    new = [new_execution(priority=priority) for priority in (0, 5, -5, 5, 0)]
    await started(engine_pool, tenant, *new)
    claimed = await ownership.claim(new_worker(), 10)
    assert [claim.execution_id for claim in claimed] == [new[index].id for index in (1, 3, 0, 4, 2)]


async def test_only_the_named_executions_are_claimed(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenants: list[TenantId]
) -> None:
    ids = [execution for tenant in tenants for execution in await started(engine_pool, tenant, count=2)]
    chosen = ids[1:4]
    claimed = await ownership.claim(new_worker(), 2, only=chosen)
    assert [claim.execution_id for claim in claimed] == chosen[:2]
    assert [claim.execution_id for claim in await ownership.claim(new_worker(), 2, only=chosen)] == chosen[2:]
    assert await ownership.claim(new_worker(), 2, only=chosen) == []


@pytest.mark.parametrize(
    "_", range(10)
)  # the server once crashed, one time in four, where rows changed as they were locked
async def test_twenty_claimers_at_once_never_take_the_same_execution(
    _: int, ownership: PostgresOwnership, engine_pool: EnginePool, tenants: list[TenantId]
) -> None:
    ids = {execution for tenant in tenants for execution in await started(engine_pool, tenant, count=50)}

    async def claim_all() -> list[ExecutionId]:
        worker, own = new_worker(), PostgresOwnership(engine_pool)
        taken: list[ExecutionId] = []
        while claimed := await own.claim(worker, 5):
            taken += [claim.execution_id for claim in claimed]
        return taken

    taken = [execution for own in await asyncio.gather(*(claim_all() for _ in range(20))) for execution in own]
    assert Counter(taken) == dict.fromkeys(ids, 1)
    assert await engine_pool.fetchval("SELECT count(*) FROM execution WHERE id = ANY ($1) AND epoch = 1", ids) == 150


async def test_a_paused_execution_stays_paused_when_it_is_claimed(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await started(engine_pool, tenant)
    await engine_pool.execute("UPDATE execution SET status = 'PAUSED' WHERE id = $1", execution)
    await ownership.claim(new_worker(), 1)
    assert await row_of(engine_pool, execution) == Row(status="PAUSED", epoch=1, owned=True, wants_owner=False)


async def test_the_first_claim_is_when_an_execution_began(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await started(engine_pool, tenant)
    began: list[object] = []
    for epoch in (1, 2):
        await ownership.claim(new_worker(), 1)
        began.append(await engine_pool.fetchval("SELECT started_at FROM execution WHERE id = $1", execution))
        await ownership.release([Release(execution_id=execution, epoch=epoch, status=ExecutionStatus.PENDING)])
    assert began[0] is not None
    assert began[0] == began[1]


async def test_a_claim_whose_answer_was_lost_is_given_back_by_the_next(
    database: str, ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await started(engine_pool, tenant)
    worker = new_worker()
    async with severed_way(database) as way:
        pool = await connections.engine_pool(way.dsn, 1)
        cut_off = PostgresOwnership(pool)
        way.cut_answer_to = b"COMMIT"
        with pytest.raises(ConnectionError):
            await cut_off.claim(worker, 10)
        assert await row_of(engine_pool, execution) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)
        (claimed,) = await cut_off.claim(worker, 10)
        await pool.close()
    assert (claimed.execution_id, claimed.epoch) == (execution, 2)


async def test_a_claim_that_fails_in_the_middle_leaves_the_executions_to_others(
    database: str, ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await started(engine_pool, tenant)
    async with severed_way(database) as way:
        pool = await connections.engine_pool(way.dsn, 1)
        way.cut_answer_to = b"execution_event"
        with pytest.raises(ConnectionError):
            await PostgresOwnership(pool).claim(new_worker(), 10)
        way.close()
        async with asyncio.timeout(10):
            while not (claimed := await ownership.claim(new_worker(), 10)):
                pass  # the server has yet to notice that the way is cut
        await pool.close()
    assert [(claim.execution_id, claim.epoch) for claim in claimed] == [(execution, 1)]


async def test_letting_go_stores_what_the_next_owner_needs(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    soon, late = NOW, NOW + timedelta(days=1)
    await engine_pool.execute(
        "INSERT INTO wake_up (execution_id, path, tenant_id, due_at) VALUES ($1, 'a', $2, $3), ($1, 'b', $2, $3)",
        execution,
        tenant,
        soon,
    )
    release = Release(
        execution_id=execution,
        epoch=1,
        status=ExecutionStatus.WAITING,
        wake_ups=[WakeUp(path="b", due_at=late), WakeUp(path="c", due_at=late)],
        snapshot={"steps": {}},
        snapshot_seq=1,
    )
    assert await ownership.release([release]) == []
    assert await row_of(engine_pool, execution) == Row(status="WAITING", epoch=1, owned=False, wants_owner=False)
    assert await wake_ups_of(engine_pool, execution) == [
        WakeUp(path="b", due_at=late),
        WakeUp(path="c", due_at=late),
    ]
    state = await engine_pool.fetchrow(
        "SELECT tenant_id, seq, state FROM execution_state WHERE execution_id = $1", execution
    )
    assert state is not None
    assert tuple(state) == (tenant, 1, '{"steps":{}}')


async def test_an_execution_with_mail_is_not_let_go(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    kept, gone = await owned(engine_pool, tenant, count=2)
    await PostgresInbox(engine_pool).post(tenant, kept, InboxKind.SIGNAL, "a", {})
    wake_up = WakeUp(path="wait", due_at=NOW)
    assert await ownership.release([waiting(kept, wake_ups=[wake_up]), waiting(gone, wake_ups=[wake_up])]) == [kept]
    assert await row_of(engine_pool, kept) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=True)
    assert await row_of(engine_pool, gone) == Row(status="WAITING", epoch=1, owned=False, wants_owner=False)
    assert await wake_ups_of(engine_pool, kept) == []
    assert await wake_ups_of(engine_pool, gone) == [wake_up]


async def test_a_message_and_letting_go_at_once_never_miss_each_other(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=60)
    inbox = PostgresInbox(engine_pool)
    releasing = asyncio.ensure_future(ownership.release([waiting(execution) for execution in ids]))
    await asyncio.gather(*(inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {}) for execution in ids))
    kept = await releasing
    for execution in ids:
        is_kept = execution in kept
        row = await row_of(engine_pool, execution)
        assert row == Row(status="RUNNING" if is_kept else "WAITING", epoch=1, owned=is_kept, wants_owner=True)


async def test_a_message_on_its_way_is_waited_for(
    ownership: PostgresOwnership, database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    async with onlooking(database) as onlooker, engine_pool.acquire() as sender, sender.transaction():
        await sender.execute("UPDATE execution SET wants_owner = true WHERE id = $1", execution)
        await sender.execute(
            "INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)"
            " VALUES ($1, $2, 'signal', 'a', '{}', now())",
            execution,
            tenant,
        )
        releasing = asyncio.ensure_future(ownership.release([waiting(execution)]))
        await until(onlooker, BLOCKED, 1)
    assert await releasing == [execution]
    assert await row_of(engine_pool, execution) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=True)


async def test_a_lost_execution_is_let_go_without_a_trace(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    lost, finished = await owned(engine_pool, tenant, count=2)
    await take_over(engine_pool, [lost], epoch=2)
    async with journal_on(engine_pool) as journal:
        await journal.submit(append(finished, tenant, 2, finished=completed({})))
    wake_up = WakeUp(path="wait", due_at=NOW)
    assert await ownership.release([waiting(each, wake_ups=[wake_up]) for each in (lost, finished)]) == []
    assert await row_of(engine_pool, lost) == Row(status="RUNNING", epoch=2, owned=True, wants_owner=False)
    assert await row_of(engine_pool, finished) == Row(status="COMPLETED", epoch=1, owned=False, wants_owner=False)
    assert await wake_ups_of(engine_pool, lost) == await wake_ups_of(engine_pool, finished) == []
    assert await ownership.release([]) == []


async def test_an_owner_reads_its_own_mail_oldest_first(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await started(engine_pool, tenant, count=3)
    worker = new_worker()
    first, second = (claim.execution_id for claim in await ownership.claim(worker, 2))
    (other,) = (claim.execution_id for claim in await ownership.claim(new_worker(), 2))
    inbox = PostgresInbox(engine_pool)
    for execution, key in ((second, "a"), (other, "b"), (first, "c"), (second, "d")):
        await inbox.post(tenant, execution, InboxKind.SIGNAL, key, {"name": "paid"})
    assert [(message.execution_id, message.key) for message in await ownership.inbox(worker)] == [
        (second, "a"),
        (first, "c"),
        (second, "d"),
    ]


async def test_no_snapshot_is_kept_of_a_finished_execution(
    ownership: PostgresOwnership, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await engine_pool.execute("UPDATE execution SET finished_at = now() WHERE id = $1", execution)
    await ownership.save_snapshot(execution, 1, {})
    assert not await engine_pool.fetchval("SELECT count(*) FROM execution_state WHERE execution_id = $1", execution)
