"""Messages to executions: durable before they are acknowledged, once each, and never to another tenant."""

import asyncio

import orjson
import pytest
import uuid_utils.compat as uuid

from db.claims import PostgresOwnership
from db.connections import EnginePool
from db.inbox import Message, PostgresInbox
from domain.engine.events import Event, EventKind
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId, TenantId
from domain.inbox import Posted
from domain.json import JSON
from tests.contract.journals import journal_on
from tests.contract.ledger import NOW, Row, append, completed, new_worker, nobody_waits, owned, row_of, started


@pytest.fixture
def inbox(engine_pool: EnginePool) -> PostgresInbox:
    return PostgresInbox(engine_pool)


async def consume(pool: EnginePool, tenant: TenantId, execution: ExecutionId, *, finish: bool = False) -> None:
    """What an owner of epoch 1 does with all its messages, whatever their kind: one event each, as for a signal."""
    rows = await pool.fetch("SELECT id, key FROM execution_inbox WHERE execution_id = $1 ORDER BY id", execution)
    events: list[Event] = []
    for seq, row in enumerate(rows, 2):
        payload: dict[str, JSON] = {"name": "paid", "key": row["key"]}
        events.append(Event(seq=seq, kind=EventKind.SIGNAL_RECEIVED, at=NOW, payload=payload))
    finished = completed({}) if finish else None
    async with journal_on(pool) as journal:
        await journal.submit(
            append(execution, tenant, *events, consumed=[row["id"] for row in rows], finished=finished)
        )


async def test_a_signal_before_its_wait_is_kept_and_wakes_the_execution(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await nobody_waits(engine_pool)
    (execution,) = await started(engine_pool, tenant)
    await engine_pool.execute("UPDATE execution SET wants_owner = false, status = 'WAITING' WHERE id = $1", execution)
    answers = [
        await inbox.post(tenant, execution, InboxKind.SIGNAL, str(number), {"name": "paid", "payload": number})
        for number in range(3)
    ]
    assert answers == [Posted.ACCEPTED] * 3
    assert await row_of(engine_pool, execution) == Row(status="WAITING", epoch=0, owned=False, wants_owner=True)
    (claimed,) = await PostgresOwnership(engine_pool).claim(new_worker(), 1)
    assert [(message.kind, message.key, message.payload) for message in claimed.inbox] == [
        (InboxKind.SIGNAL, str(number), {"name": "paid", "payload": number}) for number in range(3)
    ]


async def test_a_repeated_message_is_one_message(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    answers = await asyncio.gather(
        *(inbox.post(tenant, execution, InboxKind.CANCEL, "cancel", {"reason": None}) for _ in range(6))
    )
    assert sorted(answers) == [Posted.ACCEPTED, *[Posted.REPEATED] * 5]
    assert await engine_pool.fetchval("SELECT count(*) FROM execution_inbox WHERE execution_id = $1", execution) == 1


async def test_a_signal_is_not_delivered_again_after_it_was_consumed(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {})
    await consume(engine_pool, tenant, execution)
    assert await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {}) is Posted.REPEATED
    assert await inbox.post(tenant, execution, InboxKind.SIGNAL, "b", {}) is Posted.ACCEPTED


async def test_a_signal_repeated_while_it_is_being_consumed_is_not_delivered_again(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    ids = await owned(engine_pool, tenant, count=5)
    for execution in ids:
        await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {})
    results = await asyncio.gather(
        *(consume(engine_pool, tenant, execution) for execution in ids),
        *(inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {}) for execution in ids for _ in range(3)),
    )
    assert set(results[len(ids) :]) == {Posted.REPEATED}


async def test_a_wish_may_be_made_again_once_it_was_consumed(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await inbox.post(tenant, execution, InboxKind.SKIP, "price", {"output": 1})
    await consume(engine_pool, tenant, execution)
    assert await inbox.post(tenant, execution, InboxKind.SKIP, "price", {"output": 2}) is Posted.ACCEPTED


async def test_a_cancel_is_seen_on_the_row_at_once_and_keeps_its_first_moment(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    query = "SELECT cancel_requested_at FROM execution WHERE id = $1"
    await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {})
    assert await engine_pool.fetchval(query, execution) is None
    await inbox.post(tenant, execution, InboxKind.CANCEL, "cancel", {})
    first = await engine_pool.fetchval(query, execution)
    assert first is not None
    await inbox.post(tenant, execution, InboxKind.CANCEL, "once more", {})
    assert await engine_pool.fetchval(query, execution) == first
    assert await row_of(engine_pool, execution) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=True)


async def test_a_finished_execution_takes_nothing_more(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {})
    await consume(engine_pool, tenant, execution, finish=True)
    assert await inbox.post(tenant, execution, InboxKind.SIGNAL, "b", {}) is Posted.FINISHED
    assert await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {}) is Posted.REPEATED
    assert await engine_pool.fetchval("SELECT count(*) FROM execution_inbox WHERE execution_id = $1", execution) == 0
    assert await row_of(engine_pool, execution) == Row(status="COMPLETED", epoch=1, owned=False, wants_owner=False)


async def test_another_tenants_execution_is_missing_and_unchanged(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    foreign = TenantId(uuid.uuid7())
    assert await inbox.post(foreign, execution, InboxKind.CANCEL, "cancel", {}) is Posted.MISSING
    assert await inbox.post(tenant, ExecutionId(uuid.uuid7()), InboxKind.CANCEL, "cancel", {}) is Posted.MISSING
    assert await engine_pool.fetchval("SELECT count(*) FROM execution_inbox WHERE execution_id = $1", execution) == 0
    assert await row_of(engine_pool, execution) == Row(status="RUNNING", epoch=1, owned=True, wants_owner=False)


async def test_many_are_posted_at_once_and_answered_in_order(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    first, second = await owned(engine_pool, tenant, count=2)

    def signal(execution: ExecutionId, key: str) -> Message:
        return Message(execution_id=execution, kind=InboxKind.SIGNAL, key=key, payload={})

    answers = await inbox.post_many(
        tenant,
        [
            signal(second, "b"),
            signal(first, "a"),
            signal(ExecutionId(uuid.uuid7()), "a"),
            signal(second, "b"),
            signal(second, "a"),
        ],
    )
    assert answers == [Posted.ACCEPTED, Posted.ACCEPTED, Posted.MISSING, Posted.REPEATED, Posted.ACCEPTED]
    kept = await engine_pool.fetch("SELECT key FROM execution_inbox WHERE execution_id = $1 ORDER BY id", second)
    assert [row["key"] for row in kept] == ["b", "a"]
    assert await inbox.post_many(tenant, []) == []


async def test_text_that_postgresql_cannot_hold_is_delivered_without_it(
    inbox: PostgresInbox, engine_pool: EnginePool, tenant: TenantId
) -> None:
    (execution,) = await owned(engine_pool, tenant)
    await inbox.post(tenant, execution, InboxKind.SIGNAL, "a", {"text": "x\0y"})
    payload = await engine_pool.fetchval("SELECT payload FROM execution_inbox WHERE execution_id = $1", execution)
    assert orjson.loads(payload) == {"text": "x\ufffdy"}
