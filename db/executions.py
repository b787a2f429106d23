"""Changes when executions are searched or listed in another way; the engine writes them elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from db import keyset
from db.partitions import first_id
from db.statements import Row, fetch, fetch_value
from domain.engine.ports import ExecutionStatus
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.ids import ExecutionId, SplitId, TenantId, TriggerId, VersionId, WorkflowId
from domain.paging import Direction, Page, Slice, cut
from domain.starts import TriggerType

_SELECT = """
SELECT id, workflow_id, version_id, status, priority, created_at, started_at, finished_at, cancel_requested_at,
output::text AS output, error::text AS error, trigger_type, triggered_by, trigger_id, retry_of, root_of, parent_id,
parent_path, draft, coalesce(environment, 'default') AS environment, split_id, test, trial_of
FROM execution WHERE
"""
_COUNT = "SELECT count(*) FROM execution WHERE "
_CHILDREN = _SELECT + "tenant_id = $1 AND parent_id = ANY($2::uuid[]) AND id > $3 ORDER BY id LIMIT $4"
_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_SKEW = timedelta(hours=1)
"""How far an id's time may be from `created_at`, which decides; ids choose the partitions and the part of the index."""


class Executions:
    """Implements `domain.executions.ExecutionReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[ExecutionId]) -> Sequence[Execution]:
        rows = await fetch(_SELECT + "tenant_id = $1 AND id = ANY($2::uuid[])", self._tenant_id, list(ids))
        return [_execution(row) for row in rows]

    async def page(self, chosen: ExecutionFilter, order: ExecutionOrder, page: Page) -> Slice[Execution]:
        where = _Where(self._tenant_id, chosen)
        later, earlier = (">", "<") if order.direction is Direction.ASC else ("<", ">")
        if page.after:
            where.add(f"id {later} %", page.after.id)
        if page.before:
            where.add(f"id {earlier} %", page.before.id)
        direction = "ASC" if keyset.ascending(page, order.direction) else "DESC"
        order_by = f" ORDER BY id {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_SELECT + where.sql + order_by, *where.arguments)
        return cut([_execution(row) for row in rows], page)

    async def count(self, chosen: ExecutionFilter) -> int:
        where = _Where(self._tenant_id, chosen)
        return await fetch_value(_COUNT + where.sql, *where.arguments)

    async def children_of(self, ids: Sequence[ExecutionId], limit: int) -> Sequence[Execution]:
        if not ids:
            return ()
        rows = await fetch(_CHILDREN, self._tenant_id, list(ids), _before(min(ids)), limit)
        return [_execution(row) for row in rows]


class _Where:
    """Conditions and their numbered arguments."""

    def __init__(self, tenant_id: TenantId, chosen: ExecutionFilter) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []
        self.add("tenant_id = %", tenant_id)
        if chosen.workflow_id is not None:
            self.add("workflow_id = %", chosen.workflow_id)
        if chosen.status:
            self.add("status = ANY(%::text[])", [status.value for status in chosen.status])
        if chosen.trigger_type:
            self.add("trigger_type = ANY(%::text[])", [each.value for each in chosen.trigger_type])
        if chosen.version_id is not None:
            self.add("version_id = %", chosen.version_id)
        if chosen.environment is not None:
            self.add("coalesce(environment, 'default') = %", chosen.environment)
        if chosen.test is not None:
            self.add("test = %", chosen.test)
        if chosen.trial_of is not None:
            self.add("trial_of = %", chosen.trial_of)
        if chosen.retry_of is not None:
            self.add("retry_of = %", chosen.retry_of)
        if chosen.parent_id is not None:
            self.add("parent_id = %", chosen.parent_id)
            self.add("id > %", _before(chosen.parent_id))
        if chosen.since is not None:
            self.add("created_at >= %", chosen.since)
            self.add("id >= %", first_id(_clamped(chosen.since) - _SKEW))
        if chosen.until is not None:
            self.add("created_at < %", chosen.until)
            self.add("id < %", first_id(_clamped(chosen.until) + _SKEW))

    def add(self, condition: str, argument: object) -> None:
        self.arguments.append(argument)
        self._conditions.append(condition.replace("%", f"${len(self.arguments)}"))

    @property
    def sql(self) -> str:
        return " AND ".join(self._conditions)


def _execution(row: Row) -> Execution:
    return Execution(
        id=ExecutionId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        version_id=VersionId(row["version_id"]),
        status=ExecutionStatus(row["status"]),
        priority=row["priority"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        cancel_requested_at=row["cancel_requested_at"],
        output=orjson.loads(row["output"]) if row["output"] is not None else None,
        error=orjson.loads(row["error"]) if row["error"] is not None else None,
        trigger_type=TriggerType(row["trigger_type"]),
        triggered_by=row["triggered_by"],
        trigger_id=TriggerId(row["trigger_id"]) if row["trigger_id"] else None,
        retry_of=_execution_id(row["retry_of"]),
        root_of=_execution_id(row["root_of"]),
        parent_id=_execution_id(row["parent_id"]),
        parent_path=row["parent_path"],
        draft=row["draft"],
        environment=row["environment"],
        split_id=SplitId(row["split_id"]) if row["split_id"] else None,
        test=row["test"],
        trial_of=row["trial_of"],
    )


def _clamped(at: datetime) -> datetime:
    """The nearest moment that ids and clocks can say, and an hour beside it too."""
    return min(max(at, _FIRST), _LAST)


def _before(first: UUID) -> UUID:
    """What is begun by this execution has a greater id, whatever the clocks; it chooses the partitions."""
    return UUID(int=max(0, (first.int >> 80) - _SKEW // timedelta(milliseconds=1)) << 80)


def _execution_id(value: UUID | None) -> ExecutionId | None:
    return ExecutionId(value) if value else None
