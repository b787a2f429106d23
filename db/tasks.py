"""Changes when tasks are stored, searched or listed in another way."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from db import keyset
from db.statements import Row, fetch, fetch_value
from domain.ids import ExecutionId, TaskId, TenantId, UserId
from domain.paging import Direction, Page, Slice, cut
from domain.tasks import (
    Task,
    TaskDecision,
    TaskEntry,
    TaskEntryKind,
    TaskFilter,
    TaskKind,
    TaskSignature,
    TaskStatus,
)

SELECT = """
SELECT id, execution_id, path, kind, title, description, form::text AS form, data::text AS data, assignees, escalate_to,
needs_signature, status, due_at, expires_at, claimed_by, escalated_at, decision, output::text AS output, comment,
decided_by, decided_at, signed_by, signature, created_at, updated_at, revision FROM task WHERE
"""
CHANGE = """
WITH changed AS (
    UPDATE task
    SET assignees = $4, claimed_by = $5, escalated_at = $6, status = $7, updated_at = $8, revision = revision + 1
    WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND status = 'OPEN'
    RETURNING tenant_id, id
), noted AS (
    INSERT INTO task_entry (id, tenant_id, task_id, kind, by, created_at, assignees, comment)
    SELECT $9::uuid, tenant_id, id, $10::text, $11::text, $8, $12::text[], $13::text FROM changed
    WHERE $9::uuid IS NOT NULL
)
SELECT id FROM changed
"""
"""Everything that may change while a task is open, with a line of its history unless that has no id."""
_NOTE = """
INSERT INTO task_entry (id, tenant_id, task_id, kind, by, created_at, assignees, comment)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
"""
_COUNT = "SELECT count(*) FROM task WHERE "
_HISTORY = """
SELECT id, task_id, kind, by, created_at, assignees, comment FROM task_entry WHERE tenant_id = $1 AND task_id = $2
"""


class Tasks:
    """Implements `domain.tasks.TaskReader` and `TaskWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[TaskId]) -> Sequence[Task]:
        rows = await fetch(SELECT + "tenant_id = $1 AND id = ANY($2::uuid[])", self._tenant_id, list(ids))
        return [task_of(row) for row in rows]

    async def page(self, chosen: TaskFilter, page: Page) -> Slice[Task]:
        where = _Where(self._tenant_id, chosen)
        if page.after:
            where.add("id < %", page.after.id)
        if page.before:
            where.add("id > %", page.before.id)
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        rows = await fetch(f"{SELECT}{where.sql} ORDER BY id {direction} LIMIT {page.limit + 1}", *where.arguments)
        return cut([task_of(row) for row in rows], page)

    async def count(self, chosen: TaskFilter) -> int:
        where = _Where(self._tenant_id, chosen)
        return await fetch_value(_COUNT + where.sql, *where.arguments)

    async def history(self, task_id: TaskId, page: Page) -> Slice[TaskEntry]:
        sql = _HISTORY
        arguments: list[object] = [self._tenant_id, task_id]
        for place, side in ((page.after, ">"), (page.before, "<")):
            if place:
                arguments.append(place.id)
                sql += f" AND id {side} ${len(arguments)}"
        direction = "ASC" if keyset.ascending(page, Direction.ASC) else "DESC"
        rows = await fetch(f"{sql} ORDER BY id {direction} LIMIT {page.limit + 1}", *arguments)
        return cut([_entry(row) for row in rows], page)

    async def change(self, changed: Task, entry: TaskEntry) -> bool:
        return bool(await fetch(CHANGE, *change_arguments(self._tenant_id, changed, entry)))

    async def note(self, entry: TaskEntry) -> None:
        await fetch(
            _NOTE,
            entry.id,
            self._tenant_id,
            entry.task_id,
            entry.kind,
            entry.by,
            entry.at,
            list(entry.assignees),
            entry.comment,
        )


class _Where:
    """Conditions and their numbered arguments."""

    def __init__(self, tenant_id: TenantId, chosen: TaskFilter) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []
        self.add("tenant_id = %", tenant_id)
        if chosen.mine is not None:
            self.add("(claimed_by IS NULL OR claimed_by = %)", chosen.mine.person)
            unassigned = " OR assignees = '{}'" if chosen.mine.manages else ""
            self.add(f"(assignees && %::text[]{unassigned})", sorted(chosen.mine.names))
        if chosen.execution_id is not None:
            self.add("execution_id = %", chosen.execution_id)
        if chosen.status == (TaskStatus.OPEN,) or chosen.overdue:
            self._conditions.append("status = 'OPEN'")  # a constant, so that the index of open tasks serves
        if chosen.status:
            self.add("status = ANY(%::text[])", [status.value for status in chosen.status])
        if chosen.overdue:
            self._conditions.append("due_at < clock_timestamp()")

    def add(self, condition: str, argument: object) -> None:
        self.arguments.append(argument)
        self._conditions.append(condition.replace("%", f"${len(self.arguments)}"))

    @property
    def sql(self) -> str:
        return " AND ".join(self._conditions)


def change_arguments(tenant_id: TenantId, changed: Task, entry: TaskEntry | None) -> tuple[object, ...]:
    """Those of `CHANGE`."""
    noted = (entry.id, entry.kind, entry.by, list(entry.assignees), entry.comment) if entry else (None,) * 5
    return (
        tenant_id,
        changed.id,
        changed.revision,
        list(changed.assignees),
        changed.claimed_by,
        changed.escalated_at,
        changed.status,
        changed.updated_at,
        *noted,
    )


def task_of(row: Row) -> Task:
    """The task in a row of `SELECT`."""
    signed_by: UUID | None = row["signed_by"]
    return Task(
        id=TaskId(row["id"]),
        execution_id=ExecutionId(row["execution_id"]),
        path=row["path"],
        kind=TaskKind(row["kind"]),
        title=row["title"],
        description=row["description"],
        form=orjson.loads(row["form"]),
        data=_json(row["data"]),
        assignees=tuple(row["assignees"]),
        escalate_to=tuple(row["escalate_to"]),
        needs_signature=row["needs_signature"],
        status=TaskStatus(row["status"]),
        due_at=row["due_at"],
        expires_at=row["expires_at"],
        claimed_by=row["claimed_by"],
        escalated_at=row["escalated_at"],
        decision=TaskDecision(row["decision"]) if row["decision"] else None,
        output=_json(row["output"]),
        comment=row["comment"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        signature=TaskSignature(by=UserId(signed_by), digest=row["signature"]) if signed_by else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        revision=row["revision"],
    )


def _json(text: str | None) -> Any:
    return orjson.loads(text) if text is not None else None


def _entry(row: Row) -> TaskEntry:
    return TaskEntry(
        id=row["id"],
        task_id=TaskId(row["task_id"]),
        kind=TaskEntryKind(row["kind"]),
        by=row["by"],
        at=row["created_at"],
        assignees=tuple(row["assignees"]),
        comment=row["comment"],
    )
