"""Changes when executions can be forgotten in another way, or are found again in another way."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg

from db.limits_sweeps import apply_changes, with_room
from db.locks import pass_on_locks
from db.outages import told_as_connection_error
from domain.engine.ports import Swept
from domain.ids import ExecutionId, TenantId

if TYPE_CHECKING:
    from db.connections import EnginePool

# In the order of the index of what is claimable, so that the rest of the table is never looked at.
_FORGOTTEN = """
SELECT tenant_id, id FROM execution
WHERE owner IS NULL AND wants_owner AND NOT held AND created_at < now() - $1::interval
ORDER BY tenant_id, priority DESC, id
LIMIT $2
"""

# The row's lock before anything of the wake-up, as letting go has it, so that the two never wait for each other.
# An execution that has an owner keeps its own time; its wake-ups, left from when it had none, only go. One that wants
# an owner was told of by whoever said so: a sweep that read the wake-ups before another deleted them adds nothing.
_DUE = """
WITH due AS (
    SELECT id FROM execution
    WHERE id IN (SELECT execution_id FROM wake_up WHERE due_at <= now() ORDER BY due_at LIMIT $1)
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM wake_up USING due WHERE execution_id = due.id AND due_at <= now()
)
UPDATE execution AS x SET wants_owner = true
FROM due
WHERE x.id = due.id AND x.owner IS NULL AND NOT x.wants_owner AND x.finished_at IS NULL
RETURNING x.tenant_id, x.id
"""

# `owner` walks from one owner to the next, one index probe each. Time is the database's alone: a worker's renewal
# and this comparison read the same clock.
_ORPHANS = """
WITH RECURSIVE owner (id) AS (
    VALUES ('00000000-0000-0000-0000-000000000000'::uuid)
  UNION ALL
    SELECT following.owner
    FROM owner
    CROSS JOIN LATERAL (SELECT owner FROM execution WHERE owner > owner.id ORDER BY owner LIMIT 1) AS following
), dead AS (
    SELECT owner.id FROM owner LEFT JOIN worker ON worker.id = owner.id
    WHERE coalesce(worker.seen_at, '-infinity') < clock_timestamp() - $1::interval
), orphan AS MATERIALIZED (
    SELECT x.id FROM dead CROSS JOIN LATERAL orphaned(dead.id, $2) AS x (id) LIMIT $2
), gone AS (
    DELETE FROM worker
    WHERE seen_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM execution WHERE owner = worker.id)
), late AS (
    DELETE FROM execution_inbox AS i USING execution AS x WHERE x.id = i.execution_id AND x.finished_at IS NOT NULL
)
UPDATE execution AS x SET owner = NULL, wants_owner = true
FROM orphan WHERE x.id = orphan.id
RETURNING x.tenant_id, x.id
"""


class PostgresSweeping:
    """`domain.engine.ports.Sweeping`. Any number of processes may sweep at once; each finds what others do not.

    `tenant_concurrency`: the limit of tenants that have none of their own.
    """

    def __init__(self, pool: "EnginePool", *, tenant_concurrency: int | None = None) -> None:
        self._pool = pool
        self._tenant_concurrency = tenant_concurrency

    async def sweep(self, *, orphan_after: float = 5.0, pending_after: float = 2.0, limit: int = 1000) -> Swept:
        """Also removes workers unseen for an hour and messages that came as their execution finished, brings executions
        under limits that were changed, and passes on named locks of executions that are over.

        What a limit now has room for counts as forgotten. Raises ConnectionError when PostgreSQL does not answer.
        """
        with told_as_connection_error():
            async with self._pool.acquire() as connection:
                # First, for the others make claimable what has only now come to be.
                forgotten = await connection.fetch(_FORGOTTEN, timedelta(seconds=pending_after), limit)
                orphans = await connection.fetch(_ORPHANS, timedelta(seconds=orphan_after), limit)
                due = await connection.fetch(_DUE, limit)
                await apply_changes(connection)
                forgotten += await with_room(connection, limit, self._tenant_concurrency)
                locked = await pass_on_locks(connection)
        return Swept(orphans=_pairs(orphans), due=(*_pairs(due), *locked), forgotten=_pairs(forgotten))


def _pairs(rows: Iterable[asyncpg.Record]) -> tuple[tuple[TenantId, ExecutionId], ...]:
    return tuple((row["tenant_id"], row["id"]) for row in rows)
