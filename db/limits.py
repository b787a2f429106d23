"""Changes when limits are stored, or the places of those that wait for them are found, in another way."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from db.outages import told_as_connection_error
from db.statements import Row, fetch
from domain.ids import ExecutionId, TenantId
from domain.limits import QueuePlace, QueueReason, TenantLimits

if TYPE_CHECKING:
    from db.connections import EnginePool

# Whoever is before it in its workflow, in its tenant and in its tenant's line for workers; and what is under way.
_PLACES = """
SELECT x.id, x.held, CASE WHEN NOT x.wants_owner THEN later.due_at END AS starts_at, w.max_concurrent, w.max_per_minute,
    CASE WHEN t.tenant_id IS NULL THEN $3::int ELSE t.max_concurrent END AS tenant_concurrent,
    CASE WHEN x.held THEN (
        SELECT count(*) FROM execution AS r
        WHERE r.tenant_id = x.tenant_id AND r.workflow_id = x.workflow_id
            AND r.admitted_at IS NOT NULL AND r.finished_at IS NULL
    ) END AS running,
    CASE WHEN x.held THEN (
        SELECT count(*) FROM execution AS r
        WHERE r.tenant_id = x.tenant_id AND r.workflow_id = x.workflow_id
            AND r.admitted_at > clock_timestamp() - interval '1 minute'
    ) END AS begun,
    CASE WHEN x.held THEN (
        SELECT count(*) FROM execution AS b
        WHERE b.tenant_id = x.tenant_id AND b.workflow_id = x.workflow_id AND b.owner IS NULL AND b.wants_owner
            AND b.held AND (b.priority > x.priority OR b.priority = x.priority AND b.id < x.id)
    ) END AS before_in_workflow,
    (
        SELECT count(*) FROM execution AS b
        WHERE b.tenant_id = x.tenant_id AND b.owner IS NULL AND b.wants_owner AND b.held = x.held
            AND (b.priority > x.priority OR b.priority = x.priority AND b.id < x.id)
    ) AS before_in_tenant
FROM execution AS x
LEFT JOIN wake_up AS later ON later.execution_id = x.id AND later.path = ''
LEFT JOIN workflow_limit AS w ON w.workflow_id = x.workflow_id
LEFT JOIN tenant_limit AS t ON t.tenant_id = x.tenant_id
WHERE x.tenant_id = $1 AND x.id = ANY ($2::uuid[])
    AND x.status = 'PENDING' AND x.owner IS NULL AND x.started_at IS NULL
    AND (x.wants_owner OR later.due_at IS NOT NULL)
"""
_PUT = """
INSERT INTO tenant_limit (tenant_id, max_concurrent, weight, changed_at) VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (tenant_id) DO UPDATE
SET max_concurrent = excluded.max_concurrent, weight = excluded.weight, changed_at = excluded.changed_at,
    applied = false
"""


class Queues:
    """Implements `domain.limits.Queues` for one tenant. `tenant_concurrency`: the limit of those without one."""

    def __init__(self, tenant_id: TenantId, *, tenant_concurrency: int | None = None) -> None:
        self._tenant_id = tenant_id
        self._tenant_concurrency = tenant_concurrency

    async def places(self, ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, QueuePlace]:
        rows = await fetch(_PLACES, self._tenant_id, list(ids), self._tenant_concurrency)
        return {ExecutionId(row["id"]): _place(row) for row in rows}


class PostgresTenantLimits:
    """`domain.limits.TenantLimitStore`. Raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def get(self, tenant_id: TenantId) -> TenantLimits | None:
        with told_as_connection_error():
            row = await self._pool.fetchrow(
                "SELECT max_concurrent, weight FROM tenant_limit WHERE tenant_id = $1", tenant_id
            )
        return TenantLimits(max_concurrent=row["max_concurrent"], weight=row["weight"]) if row else None

    async def put(self, tenant_id: TenantId, limits: TenantLimits) -> None:
        with told_as_connection_error():
            await self._pool.execute(_PUT, tenant_id, limits.max_concurrent, limits.weight)


def _place(row: Row) -> QueuePlace:
    """A limit of the workflow is named before one of the tenant; what has room under both waits for a worker."""
    if row["starts_at"] is not None:
        return QueuePlace(position=1, reason=QueueReason.START_TIME, starts_at=row["starts_at"])
    if not row["held"]:
        return QueuePlace(position=row["before_in_tenant"] + 1, reason=QueueReason.CAPACITY)
    here, ahead = row["running"], row["before_in_workflow"]
    most, rate = row["max_concurrent"], row["max_per_minute"]
    if most is not None and here + ahead >= most:
        return QueuePlace(position=ahead + 1, reason=QueueReason.WORKFLOW_CONCURRENCY, limit=most)
    if rate is not None and row["begun"] + ahead >= rate:
        return QueuePlace(position=ahead + 1, reason=QueueReason.WORKFLOW_RATE, limit=rate)
    position = row["before_in_tenant"] + 1
    if row["tenant_concurrent"] is not None:
        return QueuePlace(position=position, reason=QueueReason.TENANT_CONCURRENCY, limit=row["tenant_concurrent"])
    return QueuePlace(position=position, reason=QueueReason.CAPACITY)
