"""Executions, their rows and their logs, as the tests of the journal and its neighbours write and read them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uuid_utils.compat as uuid

from db.connections import Connection, EnginePool
from db.starts import PostgresStarts
from domain.engine.events import Event, EventKind
from domain.engine.ports import Append, ExecutionStatus, Finished
from domain.ids import ExecutionId, TenantId, VersionId, WorkerId, WorkflowId
from domain.json import JSONObject
from domain.starts import NewExecution, StartKey

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENCE = 10.0


def new_worker() -> WorkerId:
    return WorkerId(uuid.uuid7())


def new_execution(
    *, workflow: WorkflowId | None = None, priority: int = 0, key: StartKey | None = None, created_at: datetime = NOW
) -> NewExecution:
    return NewExecution(
        id=ExecutionId(uuid.uuid7()),
        workflow_id=workflow or WorkflowId(uuid.uuid7()),
        version_id=VersionId(uuid.uuid7()),
        events=(Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=NOW, payload={"input": None}),),
        created_at=created_at,
        priority=priority,
        key=key,
    )


async def started(pool: EnginePool, tenant: TenantId, *new: NewExecution, count: int = 1) -> list[ExecutionId]:
    """Insert these executions, or `count` plain ones."""
    executions = new or [new_execution() for _ in range(count)]
    return [result.execution_id for result in await PostgresStarts(pool).insert(tenant, executions)]


async def owned(pool: EnginePool, tenant: TenantId, *, count: int = 1, epoch: int = 1) -> list[ExecutionId]:
    """Executions of a worker that is not there, with `epoch`; their log has one event."""
    ids = await started(pool, tenant, count=count)
    await pool.execute(
        "UPDATE execution SET owner = $2, epoch = $3, wants_owner = false, status = 'RUNNING' WHERE id = ANY ($1)",
        ids,
        new_worker(),
        epoch,
    )
    return ids


async def take_over(pool: EnginePool, ids: Sequence[ExecutionId], epoch: int) -> None:
    """What a claim by another worker does to the rows."""
    await pool.execute("UPDATE execution SET owner = $2, epoch = $3 WHERE id = ANY ($1)", ids, new_worker(), epoch)


async def nobody_waits(pool: EnginePool) -> None:
    """Nothing that earlier tests left is claimable or owned."""
    await pool.execute("UPDATE execution SET owner = NULL, wants_owner = false WHERE owner IS NOT NULL OR wants_owner")
    await pool.execute("DELETE FROM lock_request")
    await pool.execute("DELETE FROM wake_up")


def step(seq: int, payload: JSONObject | None = None, *, path: str = "price") -> Event:
    return Event(
        seq=seq, kind=EventKind.STEP_COMPLETED, at=NOW, node="price", path=path, attempt=1, payload=payload or {}
    )


def append(
    execution: ExecutionId,
    tenant: TenantId,
    *events: Event | int,
    epoch: int = 1,
    consumed: Sequence[int] = (),
    status: ExecutionStatus | None = None,
    finished: Finished | None = None,
) -> Append:
    """Of these events, or of steps with these seqs."""
    return Append(
        execution_id=execution,
        tenant_id=tenant,
        epoch=epoch,
        events=[event if isinstance(event, Event) else step(event) for event in events],
        consumed=consumed,
        status=status,
        finished=finished,
    )


def completed(output: JSONObject) -> Finished:
    return Finished(status=ExecutionStatus.COMPLETED, output=output, error=None, at=NOW + timedelta(seconds=1))


async def log_of(pool: EnginePool, execution: ExecutionId) -> list[tuple[int, int]]:
    """(seq, epoch) of every event, in order."""
    rows = await pool.fetch("SELECT seq, epoch FROM execution_event WHERE execution_id = $1 ORDER BY seq", execution)
    return [(row["seq"], row["epoch"]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    status: str
    epoch: int
    owned: bool
    wants_owner: bool


async def row_of(pool: EnginePool, execution: ExecutionId) -> Row:
    row = await pool.fetchrow(
        "SELECT status, epoch, owner IS NOT NULL AS owned, wants_owner FROM execution WHERE id = $1", execution
    )
    assert row is not None
    return Row(**dict(row))


async def until(connection: "Connection | EnginePool", query: str, *arguments: object) -> None:
    """Return once the query says true; fails after ten seconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await connection.fetchval(query, *arguments):
                return
            await asyncio.sleep(0.005)
