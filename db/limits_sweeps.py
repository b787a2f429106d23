"""Changes when executions come under a changed limit, or are found to have room under one, in another way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg

from db.claims_admission import CANDIDATES

if TYPE_CHECKING:
    from db.connections import Connection

# A start on its way may not have seen the change, so it is applied for ten seconds, whoever sweeps. Rows that somebody
# has locked are passed over: the next sweep finds them.
_APPLY = """
WITH fresh AS (
    SELECT tenant_id, workflow_id FROM workflow_limit WHERE NOT applied
    UNION ALL
    SELECT tenant_id, NULL FROM tenant_limit WHERE NOT applied AND max_concurrent IS NOT NULL
), waiting AS (
    SELECT x.id FROM fresh JOIN execution AS x ON x.tenant_id = fresh.tenant_id
    WHERE x.owner IS NULL AND x.wants_owner AND NOT x.held AND x.admitted_at IS NULL AND x.started_at IS NULL
        AND x.parent_id IS NULL AND x.cancel_requested_at IS NULL
        AND (fresh.workflow_id IS NULL OR fresh.workflow_id = x.workflow_id)
    FOR UPDATE OF x SKIP LOCKED
), begun AS (
    SELECT x.id FROM fresh JOIN execution AS x ON x.tenant_id = fresh.tenant_id
    WHERE x.status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED') AND x.started_at IS NOT NULL
        AND x.admitted_at IS NULL AND x.parent_id IS NULL
        AND (fresh.workflow_id IS NULL OR fresh.workflow_id = x.workflow_id)
    FOR UPDATE OF x SKIP LOCKED
), held AS (
    UPDATE execution SET held = true WHERE id IN (SELECT id FROM waiting)
), counted AS (
    UPDATE execution SET admitted_at = started_at WHERE id IN (SELECT id FROM begun)
), workflows_done AS (
    UPDATE workflow_limit SET applied = true
    WHERE NOT applied AND changed_at < clock_timestamp() - interval '10 seconds'
)
UPDATE tenant_limit SET applied = true WHERE NOT applied AND changed_at < clock_timestamp() - interval '10 seconds'
"""
_WITH_ROOM = """
SELECT tenant_id, id FROM chosen
UNION ALL
SELECT tenant_id, id FROM execution WHERE held AND cancel_requested_at IS NOT NULL
"""
_ROOM = CANDIDATES + _WITH_ROOM
_NOBODY = "00000000-0000-0000-0000-000000000000"


async def apply_changes(connection: "Connection") -> None:
    """Hold what waits, and count what runs, under limits that were changed since it was started."""
    await connection.execute(_APPLY)


async def with_room(connection: "Connection", limit: int, tenant_concurrency: int | None) -> Sequence[asyncpg.Record]:
    """(tenant_id, id) of held executions that a claim would let through now."""
    return await connection.fetch(_ROOM, limit, tenant_concurrency, _NOBODY)
