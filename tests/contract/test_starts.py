"""Starting executions: rows, first events and idempotency keys are there together, once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool
from db.starts import PostgresStarts
from domain.engine.events import Event, EventKind
from domain.ids import ExecutionId, TenantId, TriggerId, WorkflowId
from domain.starts import StartKey, StartResult, StartStatus, TriggerType
from tests.contract.ledger import NOW, log_of, new_execution


@pytest.fixture
def starts(engine_pool: EnginePool) -> PostgresStarts:
    return PostgresStarts(engine_pool)


@pytest.fixture
def workflow() -> WorkflowId:
    return WorkflowId(uuid.uuid7())


def key(text: str = "order-1", request: bytes = b"a", *, lives: timedelta = timedelta(hours=1)) -> StartKey:
    return StartKey(key=text, request_hash=request, expires_at=datetime.now(UTC) + lives)


async def stored(pool: EnginePool, *ids: ExecutionId) -> int:
    return await pool.fetchval("SELECT count(*) FROM execution WHERE id = ANY ($1)", ids)


async def test_a_start_writes_the_row_and_its_first_events(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId
) -> None:
    plain = new_execution(priority=7)
    new = replace(
        plain,
        events=(*plain.events, Event(seq=2, kind=EventKind.SEEDED, at=NOW, payload={"steps": ["a"]})),
        trigger_type=TriggerType.WEBHOOK,
        triggered_by="apikey_01",
        trigger_id=TriggerId(uuid.uuid7()),
        retry_of=ExecutionId(uuid.uuid7()),
        root_of=ExecutionId(uuid.uuid7()),
        draft=True,
        test=True,
        trial_of=uuid.uuid7(),
    )
    assert await starts.insert(tenant, [new]) == [StartResult(status=StartStatus.STARTED, execution_id=new.id)]
    row = await engine_pool.fetchrow("SELECT * FROM execution WHERE id = $1", new.id)
    assert row is not None
    assert dict(row) == {
        "id": new.id,
        "tenant_id": tenant,
        "workflow_id": new.workflow_id,
        "version_id": new.version_id,
        "status": "PENDING",
        "priority": 7,
        "owner": None,
        "epoch": 0,
        "wants_owner": True,
        "created_at": NOW,
        "started_at": None,
        "finished_at": None,
        "cancel_requested_at": None,
        "output": None,
        "error": None,
        "trigger_type": "WEBHOOK",
        "triggered_by": "apikey_01",
        "trigger_id": new.trigger_id,
        "retry_of": new.retry_of,
        "root_of": new.root_of,
        "parent_id": None,
        "parent_path": None,
        "draft": True,
        "held": False,
        "admitted_at": None,
        "environment": None,
        "split_id": None,
        "test": True,
        "trial_of": new.trial_of,
    }
    events = await engine_pool.fetch(
        "SELECT seq, tenant_id, epoch, kind, payload, at FROM execution_event WHERE execution_id = $1 ORDER BY seq",
        new.id,
    )
    assert [tuple(event) for event in events] == [
        (1, tenant, 0, "EXECUTION_STARTED", '{"input":null}', NOW),
        (2, tenant, 0, "SEEDED", '{"steps":["a"]}', NOW),
    ]


async def test_a_thousand_begin_in_one_commit(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId
) -> None:
    new = [new_execution(key=key(f"order-{number}")) for number in range(1000)]
    results = await starts.insert(tenant, new)
    assert results == [StartResult(status=StartStatus.STARTED, execution_id=each.id) for each in new]
    assert await stored(engine_pool, *(each.id for each in new)) == 1000


async def test_the_same_key_and_request_again_is_the_first_execution(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    first, second, other = (
        new_execution(workflow=workflow, key=key(request=request)) for request in (b"a", b"a", b"b")
    )
    await starts.insert(tenant, [first])
    assert await starts.insert(tenant, [second]) == [
        StartResult(status=StartStatus.REPEATED, execution_id=first.id),
    ]
    assert await starts.insert(tenant, [other]) == [
        StartResult(status=StartStatus.MISMATCH, execution_id=first.id),
    ]
    assert await stored(engine_pool, first.id, second.id, other.id) == 1
    assert await log_of(engine_pool, second.id) == []


async def test_a_key_counts_for_one_workflow_of_one_tenant(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    first = new_execution(workflow=workflow, key=key())
    elsewhere = new_execution(key=key())
    foreign = new_execution(workflow=workflow, key=key())
    await starts.insert(tenant, [first])
    assert [result.status for result in await starts.insert(tenant, [elsewhere])] == [StartStatus.STARTED]
    another = TenantId(uuid.uuid7())
    assert [result.status for result in await starts.insert(another, [foreign])] == [StartStatus.STARTED]


async def test_a_key_twice_in_one_call_begins_one_execution(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    new = [
        new_execution(workflow=workflow, key=key(request=b"a")),
        new_execution(workflow=workflow),
        new_execution(workflow=workflow, key=key(request=b"a")),
        new_execution(workflow=workflow, key=key(request=b"b")),
    ]
    assert await starts.insert(tenant, new) == [
        StartResult(status=StartStatus.STARTED, execution_id=new[0].id),
        StartResult(status=StartStatus.STARTED, execution_id=new[1].id),
        StartResult(status=StartStatus.REPEATED, execution_id=new[0].id),
        StartResult(status=StartStatus.MISMATCH, execution_id=new[0].id),
    ]
    assert await stored(engine_pool, *(each.id for each in new)) == 2


async def test_the_same_keys_at_once_in_many_calls_begin_one_execution_each(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    orders = list(range(200))
    calls = [
        [new_execution(workflow=workflow, key=key(f"order-{number}")) for number in orders[::direction]]
        for direction in (1, -1) * 4
    ]
    answers = await asyncio.gather(*(starts.insert(tenant, new) for new in calls))
    began = [result.execution_id for results in answers for result in results if result.status is StartStatus.STARTED]
    assert len(began) == 200
    assert {result.execution_id for results in answers for result in results} == set(began)
    assert await engine_pool.fetchval("SELECT count(*) FROM execution WHERE workflow_id = $1", workflow) == 200


async def test_an_expired_key_is_as_good_as_none(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    old = new_execution(workflow=workflow, key=key(lives=-timedelta(seconds=1)))
    new = new_execution(workflow=workflow, key=key(request=b"b"))
    again = new_execution(workflow=workflow, key=key(request=b"b"))
    await starts.insert(tenant, [old])
    assert await starts.insert(tenant, [new]) == [StartResult(status=StartStatus.STARTED, execution_id=new.id)]
    assert await starts.insert(tenant, [again]) == [StartResult(status=StartStatus.REPEATED, execution_id=new.id)]


async def test_a_call_whose_answer_was_lost_may_be_repeated(
    starts: PostgresStarts, engine_pool: EnginePool, tenant: TenantId, workflow: WorkflowId
) -> None:
    new = [new_execution(workflow=workflow, key=key()), new_execution(workflow=workflow)]
    assert await starts.insert(tenant, new) == await starts.insert(tenant, new)
    assert await log_of(engine_pool, new[0].id) == [(1, 0)]
    assert await engine_pool.fetchval("SELECT count(*) FROM execution WHERE workflow_id = $1", workflow) == 2


async def test_nothing_begins_with_an_empty_call(starts: PostgresStarts, tenant: TenantId) -> None:
    assert await starts.insert(tenant, []) == []
