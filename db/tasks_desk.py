"""Changes when what a worker does with tasks changes: open them for a step, and let their time run out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from db.inbox import LOCK
from db.json_text import dump, dump_or_null
from db.outages import told_as_connection_error
from db.tasks import CHANGE, SELECT, change_arguments, task_of
from domain.ids import ExecutionId, TaskId, TenantId
from domain.sources import Clock, Ids
from domain.tasks import Task, TaskAnnouncer, TaskEntry, TaskEntryKind, TaskRequest, TaskStatus
from domain.tasks_time import elapsed

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

log = logging.getLogger("weir.tasks")
T = TypeVar("T")

_PAUSE = 0.5
_OPEN = """
INSERT INTO task (
    id, tenant_id, execution_id, path, kind, title, description, form, data, assignees, escalate_to, needs_signature,
    due_at, expires_at, created_at, updated_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, $10, $11, $12, $13, $14, $15, $15)
ON CONFLICT ON CONSTRAINT task_activation_key DO NOTHING
RETURNING id
"""
_READ = SELECT + "tenant_id = $1 AND execution_id = $2 AND path = $3"


class PostgresTaskDesk:
    """`domain.tasks.TaskDesk` for one tenant."""

    def __init__(
        self, pool: "EnginePool", tenant_id: TenantId, *, announcer: TaskAnnouncer, ids: Ids, clock: Clock
    ) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self._announcer = announcer
        self._ids = ids
        self._clock = clock

    async def open(self, request: TaskRequest) -> Task:
        """Raises LookupError when the execution is over: whoever asks does not own it any more."""
        task, new = await _persistently(lambda: self._opened(request))
        if new:
            self._announcer.announce_tasks(self._tenant_id, [task.id])
        return task

    async def look(self, execution_id: ExecutionId, path: str, at: datetime) -> Task:
        """Raises LookupError when there is no such task."""
        task, changed = await _persistently(lambda: self._looked(execution_id, path, at))
        if changed:
            self._announcer.announce_tasks(self._tenant_id, [task.id])
        return task

    async def _opened(self, request: TaskRequest) -> tuple[Task, bool]:
        """Under the execution's row, as everything that ends it: no task is opened for one that is over."""
        execution_id, path = request.execution_id, request.path
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(LOCK, [execution_id], self._tenant_id)
                if row is None or row["finished"]:
                    raise LookupError("The execution is over")
                new = await connection.fetchval(_OPEN, *self._columns(request))
                return await self._read(connection, execution_id, path), new is not None

    async def _looked(self, execution_id: ExecutionId, path: str, at: datetime) -> tuple[Task, bool]:
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                task = await self._read(connection, execution_id, path, " FOR NO KEY UPDATE")
                after = elapsed(task, at)
                if after is task:
                    return task, False
                await connection.execute(CHANGE, *change_arguments(self._tenant_id, after, self._entry(after)))
                return await self._read(connection, execution_id, path), True

    async def _read(self, connection: "Connection", execution_id: ExecutionId, path: str, lock: str = "") -> Task:
        row = await connection.fetchrow(_READ + lock, self._tenant_id, execution_id, path)
        if row is None:
            raise LookupError("There is no such task")
        return task_of(dict(row))

    def _entry(self, after: Task) -> TaskEntry | None:
        if after.status is not TaskStatus.OPEN:
            return None
        return TaskEntry(
            id=self._ids(),
            task_id=after.id,
            kind=TaskEntryKind.ESCALATED,
            by=None,
            at=after.updated_at,
            assignees=after.assignees,
        )

    def _columns(self, request: TaskRequest) -> tuple[object, ...]:
        """The arguments of `_OPEN`."""
        return (
            TaskId(self._ids()),
            self._tenant_id,
            request.execution_id,
            request.path,
            request.kind,
            request.title,
            request.description,
            dump(request.form),
            dump_or_null(request.data),
            list(request.assignees),
            list(request.escalate_to),
            request.signature,
            request.due_at,
            request.expires_at,
            self._clock(),
        )


async def _persistently(work: Callable[[], Awaitable[T]]) -> T:
    """The work's result, once the database answers: nothing else goes on without it either."""
    while True:
        try:
            return await work()
        except ConnectionError as error:
            log.warning("a task waits for the database: %s", error)
        await asyncio.sleep(_PAUSE)
