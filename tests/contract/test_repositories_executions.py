"""Executions and their logs as a reader finds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
import uuid_utils.compat as uuid

from db.connections import EnginePool, tenant_scope
from db.executions import Executions
from db.log import Log, heads
from db.partitions import first_id
from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.executions import Execution, ExecutionFilter, ExecutionOrder, place
from domain.ids import ExecutionId, TenantId, TriggerId, VersionId, WorkflowId
from domain.paging import Direction, Page
from domain.starts import TriggerType
from tests.databases import make_tenant

pytestmark = pytest.mark.usefixtures("app_db")

START = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
WORKFLOW = WorkflowId(uuid.uuid7())
NEWEST_FIRST = ExecutionOrder()
INSERT = """
INSERT INTO execution (tenant_id, id, workflow_id, version_id, status, priority, created_at, started_at, finished_at,
    cancel_requested_at, output, error, trigger_type, triggered_by, trigger_id, retry_of, root_of, parent_id,
    parent_path, draft)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
"""
INSERT_EVENT = """
INSERT INTO execution_event (execution_id, seq, tenant_id, epoch, kind, node, path, attempt, payload, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Executions of one tenant, an hour apart, oldest first."""

    tenant: TenantId
    executions: Sequence[Execution]


def id_at(at: datetime) -> ExecutionId:
    return ExecutionId(UUID(int=first_id(at).int | uuid.uuid7().int & ((1 << 80) - 1)))


def json_or_none(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


async def store(pool: EnginePool, tenant: TenantId, execution: Execution) -> Execution:
    await pool.execute(
        INSERT,
        tenant,
        execution.id,
        execution.workflow_id,
        execution.version_id,
        execution.status,
        execution.priority,
        execution.created_at,
        execution.started_at,
        execution.finished_at,
        execution.cancel_requested_at,
        json_or_none(execution.output),
        json_or_none(execution.error),
        execution.trigger_type,
        execution.triggered_by,
        execution.trigger_id,
        execution.retry_of,
        execution.root_of,
        execution.parent_id,
        execution.parent_path,
        execution.draft,
    )
    return execution


def execution(
    hours: int,
    status: ExecutionStatus = ExecutionStatus.PENDING,
    trigger_type: TriggerType = TriggerType.API,
    workflow_id: WorkflowId = WORKFLOW,
    retry_of: ExecutionId | None = None,
) -> Execution:
    at = START + timedelta(hours=hours)
    return Execution(
        id=id_at(at),
        workflow_id=workflow_id,
        version_id=VersionId(uuid.uuid7()),
        status=status,
        created_at=at,
        trigger_type=trigger_type,
        retry_of=retry_of,
    )


@pytest.fixture
async def world(tenant: TenantId, engine_pool: EnginePool) -> World:
    first = execution(0, ExecutionStatus.FAILED)
    made = [
        first,
        execution(1, ExecutionStatus.RUNNING, TriggerType.WEBHOOK),
        execution(2, ExecutionStatus.COMPLETED, TriggerType.RETRY, retry_of=first.id),
        execution(3, workflow_id=WorkflowId(uuid.uuid7())),
        execution(24 * 40, ExecutionStatus.WAITING),
    ]
    return World(tenant=tenant, executions=[await store(engine_pool, tenant, each) for each in made])


async def test_an_execution_comes_back_whole(tenant: TenantId, engine_pool: EnginePool) -> None:
    full = Execution(
        id=id_at(START),
        workflow_id=WORKFLOW,
        version_id=VersionId(uuid.uuid7()),
        status=ExecutionStatus.FAILED,
        priority=-3,
        created_at=START,
        started_at=START + timedelta(seconds=1),
        finished_at=START + timedelta(seconds=2),
        cancel_requested_at=START + timedelta(microseconds=1),
        output={"price": 12.5, "items": [1, None, "ä"]},
        error={"code": "HTTP_ERROR", "message": "503"},
        trigger_type=TriggerType.SCHEDULE,
        triggered_by="user_01j00000000000000000000000",
        trigger_id=TriggerId(uuid.uuid7()),
        retry_of=id_at(START),
        root_of=id_at(START),
        parent_id=id_at(START),
        parent_path="loop[3].child",
        draft=True,
    )
    await store(engine_pool, tenant, full)

    with tenant_scope(tenant):
        assert await Executions(tenant).by_ids([full.id, id_at(START)]) == [full]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (ExecutionFilter(), [4, 3, 2, 1, 0]),
        (ExecutionFilter(workflow_id=WORKFLOW), [4, 2, 1, 0]),
        (ExecutionFilter(status=(ExecutionStatus.FAILED, ExecutionStatus.WAITING)), [4, 0]),
        (ExecutionFilter(trigger_type=(TriggerType.WEBHOOK,)), [1]),
        (ExecutionFilter(since=START + timedelta(hours=1)), [4, 3, 2, 1]),
        (ExecutionFilter(until=START + timedelta(hours=1)), [0]),
        (ExecutionFilter(since=START + timedelta(hours=1), until=START + timedelta(hours=3)), [2, 1]),
        (ExecutionFilter(workflow_id=WORKFLOW, status=(ExecutionStatus.PENDING,)), []),
    ],
)
async def test_a_filter_finds_what_has_all_its_parts_newest_first(
    chosen: ExecutionFilter, found: Sequence[int], world: World
) -> None:
    with tenant_scope(world.tenant):
        reader = Executions(world.tenant)

        assert (await reader.page(chosen, NEWEST_FIRST, Page(first=10))).items == [
            world.executions[number] for number in found
        ]
        assert await reader.count(chosen) == len(found)


async def test_the_retries_of_an_execution_are_found(world: World) -> None:
    with tenant_scope(world.tenant):
        retries = await Executions(world.tenant).page(
            ExecutionFilter(retry_of=world.executions[0].id), NEWEST_FIRST, Page(first=10)
        )

    assert retries.items == [world.executions[2]]


@pytest.mark.parametrize("direction", list(Direction))
async def test_pages_in_either_direction_add_up_to_the_ordered_list(direction: Direction, world: World) -> None:
    order = ExecutionOrder(direction=direction)
    whole = list(world.executions) if direction is Direction.ASC else list(world.executions)[::-1]
    with tenant_scope(world.tenant):
        reader = Executions(world.tenant)
        first = await reader.page(ExecutionFilter(), order, Page(first=2))
        second = await reader.page(ExecutionFilter(), order, Page(first=2, after=place(whole[1])))
        third = await reader.page(ExecutionFilter(), order, Page(first=2, after=place(whole[3])))
        end = await reader.page(ExecutionFilter(), order, Page(last=2))
        inner = await reader.page(ExecutionFilter(), order, Page(last=9, after=place(whole[0]), before=place(whole[3])))

    assert [*first.items, *second.items, *third.items] == whole
    assert [first.has_next, second.has_next, third.has_next] == [True, True, False]
    assert (end.items, end.has_previous) == (whole[3:], True)
    assert inner.items == whole[1:3]


def event(seq: int, **payload: str | int) -> Event:
    return Event(
        seq=seq,
        kind=EventKind.STEP_COMPLETED,
        at=START + timedelta(seconds=seq),
        epoch=2,
        node="price",
        path="loop[3].price",
        attempt=1,
        payload=payload,
    )


async def write_log(pool: EnginePool, tenant: TenantId, events: Sequence[Event]) -> ExecutionId:
    execution_id = id_at(datetime.now(UTC))
    for each in events:
        payload = orjson.dumps(each.payload).decode()
        await pool.execute(
            INSERT_EVENT, execution_id, each.seq, tenant, each.epoch, each.kind, each.node, each.path, each.attempt,
            payload, each.at,
        )  # fmt: skip
    return execution_id


async def test_a_log_is_read_from_any_place_in_either_direction(tenant: TenantId, engine_pool: EnginePool) -> None:
    events = [Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=START), *(event(seq, n=seq) for seq in range(2, 6))]
    execution_id = await write_log(engine_pool, tenant, events)
    with tenant_scope(tenant):
        log = Log(tenant)

        assert await log.after(execution_id, 0, 100) == events
        assert await log.after(execution_id, 2, 2) == events[2:4]
        assert await log.after(execution_id, 5, 100) == []
        assert await log.before(execution_id, None, 2) == [events[4], events[3]]
        assert await log.before(execution_id, 3, 100) == [events[1], events[0]]
        assert await log.count(execution_id) == 5


async def test_several_logs_are_read_at_once(tenant: TenantId, engine_pool: EnginePool) -> None:
    logs = [[event(1, a=1), event(2)], [event(1, b="x")]]
    ids = [await write_log(engine_pool, tenant, events) for events in logs]
    empty = id_at(START)
    with tenant_scope(tenant):
        assert await Log(tenant).whole([ids[1], empty, ids[0]]) == {ids[1]: logs[1], empty: [], ids[0]: logs[0]}

    assert await heads(engine_pool, [*ids, empty]) == {ids[0]: 2, ids[1]: 1}


async def test_another_tenants_executions_and_logs_are_not_there(world: World, engine_pool: EnginePool) -> None:
    execution_id = await write_log(engine_pool, world.tenant, [event(1)])
    neighbour = await make_tenant(engine_pool)
    ids = [each.id for each in world.executions]
    with tenant_scope(neighbour):
        assert await Executions(neighbour).by_ids(ids) == []
        assert (await Executions(neighbour).page(ExecutionFilter(), NEWEST_FIRST, Page(first=10))).items == []
        assert await Executions(neighbour).count(ExecutionFilter()) == 0
        assert await Log(neighbour).after(execution_id, 0, 10) == []
        assert await Log(neighbour).whole([execution_id]) == {execution_id: []}
        assert await Log(world.tenant).count(execution_id) == 0  # the scope says who asks
