"""Changes when the rules change by which a worker comes to own executions and lets them go."""

import asyncio
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from db.claims_load import load, messages
from db.json_text import dump, dump_or_null
from db.outages import told_as_connection_error
from domain.engine.ports import Claimed, InboxMessage, Release
from domain.ids import ExecutionId, WorkerId
from domain.json import JSON

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

# Tenants in turn. `tenant` walks from one tenant with something to do to the next, one index probe each: from where
# the last claim ended ($3) to the end, and from the beginning to there. `chosen` takes an equal share of the capacity
# ($2) from each, the first of every tenant before the second of any. So what is read and locked is what is taken, and
# less than one more per tenant, however much is waiting. MATERIALIZED: run twice, it would lock twice as many.
_IN_TURN = """
WITH RECURSIVE tenant (lap, id, number) AS (
    VALUES (0, $3::uuid, 0), (1, '00000000-0000-0000-0000-000000000000', 0)
  UNION ALL
    SELECT tenant.lap, following.tenant_id, tenant.number + 1
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT tenant_id FROM execution
        WHERE owner IS NULL AND wants_owner AND tenant_id > tenant.id
        ORDER BY tenant_id
        LIMIT 1
    ) AS following
    WHERE tenant.number < $2 AND (tenant.lap = 0 OR following.tenant_id <= $3)
), turn AS (
    SELECT id, row_number() OVER (ORDER BY lap, id) AS place FROM tenant WHERE number > 0 ORDER BY place LIMIT $2
), share AS (
    SELECT ceil($2::float8 / nullif(count(*), 0))::bigint AS size FROM turn
), chosen AS MATERIALIZED (
    SELECT own.id, turn.place, own.round, (SELECT size FROM share) AS share
    FROM turn
    CROSS JOIN LATERAL (
        SELECT x.id, row_number() OVER (ORDER BY x.priority DESC, x.id) AS round
        FROM (
            SELECT id, priority FROM execution
            WHERE tenant_id = turn.id AND owner IS NULL AND wants_owner
            ORDER BY priority DESC, id
            LIMIT (SELECT size FROM share)
            FOR UPDATE SKIP LOCKED
        ) AS x
    ) AS own
    ORDER BY own.round, turn.place
    LIMIT $2
)
"""
# Those that were begun for this worker alone (epoch 0) have it as their owner already.
_AMONG = """
WITH chosen AS MATERIALIZED (
    SELECT x.id, 1 AS place, row_number() OVER (ORDER BY x.priority DESC, x.id) AS round, $2::bigint AS share
    FROM (
        SELECT id, priority FROM execution
        WHERE id = ANY ($3::uuid[]) AND wants_owner AND (owner IS NULL OR owner = $1 AND epoch = 0)
        ORDER BY priority DESC, id
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS x
)
"""
_OWN = """
UPDATE execution AS x
SET owner = $1,
    epoch = x.epoch + 1,
    wants_owner = false,
    status = CASE x.status WHEN 'PAUSED' THEN 'PAUSED' ELSE 'RUNNING' END,
    started_at = coalesce(x.started_at, clock_timestamp())
FROM chosen
WHERE x.id = chosen.id
RETURNING x.id, x.tenant_id, x.workflow_id, x.version_id, x.epoch, x.priority, chosen.place, chosen.round, chosen.share
"""
_OWN_IN_TURN = _IN_TURN + _OWN
_OWN_AMONG = _AMONG + _OWN

_GIVE_BACK = """
UPDATE execution AS x SET owner = NULL, wants_owner = true
FROM unnest($1::uuid[], $2::int[]) AS mine (id, epoch)
WHERE x.id = mine.id AND x.epoch = mine.epoch AND x.owner = $3
"""

# Two statements, so that the second sees every message that was posted before the first had the row's lock.
_LOCK = """
SELECT x.id
FROM unnest($1::uuid[], $2::int[]) AS mine (id, epoch)
JOIN execution AS x ON x.id = mine.id AND x.epoch = mine.epoch AND x.owner IS NOT NULL
ORDER BY x.id
FOR NO KEY UPDATE OF x
"""
_RELEASE = """
WITH wish AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[]) AS w (id, status, seq, state)
), released AS (
    UPDATE execution AS x
    SET owner = NULL, status = wish.status, wants_owner = wish.status = 'PENDING'
    FROM wish
    WHERE x.id = wish.id AND NOT EXISTS (SELECT FROM execution_inbox AS i WHERE i.execution_id = wish.id)
    RETURNING x.id, x.tenant_id
), saved AS (
    INSERT INTO execution_state (execution_id, tenant_id, seq, state)
    SELECT id, tenant_id, seq, state::json FROM released JOIN wish USING (id) WHERE state IS NOT NULL
    ON CONFLICT (execution_id) DO UPDATE SET seq = excluded.seq, state = excluded.state
), due AS (
    SELECT id, tenant_id, path, due_at
    FROM released JOIN unnest($5::uuid[], $6::text[], $7::timestamptz[]) AS w (id, path, due_at) USING (id)
), timed AS (
    INSERT INTO wake_up (execution_id, path, tenant_id, due_at) SELECT id, path, tenant_id, due_at FROM due
    ON CONFLICT (execution_id, path) DO UPDATE SET due_at = excluded.due_at
), untimed AS (
    DELETE FROM wake_up AS old USING released
    WHERE old.execution_id = released.id
        AND NOT EXISTS (SELECT FROM due WHERE due.id = old.execution_id AND due.path = old.path)
)
SELECT id FROM released
"""

_INBOX = """
SELECT i.id, i.execution_id, i.kind, i.key, i.payload
FROM execution_inbox AS i JOIN execution AS x ON x.id = i.execution_id
WHERE x.owner = $1
ORDER BY i.id
"""
_SAVE = """
INSERT INTO execution_state (execution_id, tenant_id, seq, state)
SELECT id, tenant_id, $2, $3::json FROM execution WHERE id = $1 AND finished_at IS NULL
ON CONFLICT (execution_id) DO UPDATE SET seq = excluded.seq, state = excluded.state
WHERE execution_state.seq < excluded.seq
"""


class PostgresOwnership:
    """`domain.engine.ports.Ownership`. Every method raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool
        self._claiming = asyncio.Lock()
        self._turn = UUID(int=0)
        self._doubtful: list[tuple[ExecutionId, int]] = []

    async def claim(
        self, worker: WorkerId, capacity: int, *, only: Sequence[ExecutionId] | None = None
    ) -> Sequence[Claimed]:
        """Claim and load in one transaction; what a failed claim may have taken all the same, the next gives back."""
        taken: list[asyncpg.Record] = []
        async with self._claiming:
            try:
                with told_as_connection_error():
                    async with self._pool.acquire() as connection:
                        await self._give_back(connection, worker)
                        async with connection.transaction():
                            taken = await self._take(connection, worker, capacity, only)
                            return await load(connection, taken)
            except BaseException:
                # Perhaps it was committed and only the answer got lost; then these are ours and we do not know it.
                self._doubtful += [(row["id"], row["epoch"]) for row in taken]
                raise

    async def release(self, releases: Sequence[Release]) -> Sequence[ExecutionId]:
        if not releases:
            return []
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                locked = await connection.fetch(
                    _LOCK, [each.execution_id for each in releases], [each.epoch for each in releases]
                )
                mine: set[ExecutionId] = {row["id"] for row in locked}
                letting_go = [each for each in releases if each.execution_id in mine]
                released = await connection.fetch(_RELEASE, *_columns(letting_go))
                return list(mine - {row["id"] for row in released})

    async def owned(self, worker: WorkerId) -> Mapping[ExecutionId, int]:
        with told_as_connection_error():
            rows = await self._pool.fetch("SELECT id, epoch FROM execution WHERE owner = $1", worker)
        return {row["id"]: row["epoch"] for row in rows}

    async def inbox(self, worker: WorkerId) -> Sequence[InboxMessage]:
        with told_as_connection_error():
            return messages(await self._pool.fetch(_INBOX, worker))

    async def save_snapshot(self, execution_id: ExecutionId, seq: int, state: JSON) -> None:
        """Keeps the newer of this and what is stored; does nothing for a finished execution."""
        with told_as_connection_error():
            await self._pool.execute(_SAVE, execution_id, seq, dump(state))

    async def _take(
        self, connection: "Connection", worker: WorkerId, capacity: int, only: Sequence[ExecutionId] | None
    ) -> list[asyncpg.Record]:
        """Rows of `_OWN`, in turn."""
        taken: list[asyncpg.Record] = []
        while len(taken) < capacity:
            free = capacity - len(taken)
            if only is None:
                rows = await connection.fetch(_OWN_IN_TURN, worker, free, self._turn)
            else:
                rows = await connection.fetch(_OWN_AMONG, worker, free, only)
            taken += sorted(rows, key=itemgetter("round", "place"))
            if taken:
                self._turn = taken[-1]["tenant_id"]
            if not any(row["round"] == row["share"] for row in rows):
                break  # nobody has more than was taken
        return taken

    async def _give_back(self, connection: "Connection", worker: WorkerId) -> None:
        if self._doubtful:
            ids, epochs = zip(*self._doubtful, strict=True)
            await connection.execute(_GIVE_BACK, ids, epochs, worker)
            self._doubtful.clear()


def _columns(releases: Sequence[Release]) -> tuple[Sequence[object], ...]:
    """The arguments of `_RELEASE`."""
    wake_ups = [(each.execution_id, wake_up) for each in releases for wake_up in each.wake_ups]
    return (
        [each.execution_id for each in releases],
        [each.status for each in releases],
        [each.snapshot_seq for each in releases],
        [dump_or_null(each.snapshot) for each in releases],
        [execution for execution, _ in wake_ups],
        [wake_up.path for _, wake_up in wake_ups],
        [wake_up.due_at for _, wake_up in wake_ups],
    )
