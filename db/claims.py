"""Changes when the rules change by which a worker comes to own executions and lets them go."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import asyncpg

from db.claims_admission import Admission
from db.claims_load import load, messages
from db.claims_turns import OWN_AMONG, OWN_IN_TURN, Turn
from db.json_text import dump, dump_or_null
from db.outages import told_as_connection_error
from domain.engine.ports import Append, Claimed, InboxMessage, Release
from domain.ids import ExecutionId, WorkerId
from domain.json import JSON

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

_GIVE_BACK = """
UPDATE execution AS x SET owner = NULL, wants_owner = true
FROM unnest($1::uuid[], $2::int[]) AS mine (id, epoch)
WHERE x.id = mine.id AND x.epoch = mine.epoch AND x.owner = $3
"""

# Two statements, so that the second sees every message that was posted before the first had the row's lock. The rows
# are locked by themselves: one that is joined and sorted may get lost when it is changed while its lock is waited for.
_LOCK = """
WITH locked AS MATERIALIZED (
    SELECT id, epoch FROM execution WHERE id = ANY ($1::uuid[]) AND owner IS NOT NULL ORDER BY id FOR NO KEY UPDATE
)
SELECT id FROM locked JOIN unnest($1::uuid[], $2::int[]) AS mine (id, epoch) USING (id, epoch)
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
    """`domain.engine.ports.Ownership`. Every method raises ConnectionError when PostgreSQL does not answer.

    `tenant_concurrency`: how many executions a tenant may have under way that has no limit of its own, None: any
    number. `bell`: rung when a claim may find more than the last one did.
    """

    def __init__(
        self, pool: "EnginePool", *, tenant_concurrency: int | None = None, bell: Callable[[], None] | None = None
    ) -> None:
        self._pool = pool
        self._claiming = asyncio.Lock()
        self._admission = Admission(most_per_tenant=tenant_concurrency, bell=bell)
        self._turn = Turn()
        self._doubtful: list[tuple[ExecutionId, int]] = []

    def committed(self, appends: Sequence[Append]) -> None:
        """For the journal's `on_committed`: the end of one execution may let another through."""
        self._admission.committed(appends)

    async def claim(
        self, worker: WorkerId, capacity: int, *, only: Sequence[ExecutionId] | None = None
    ) -> Sequence[Claimed]:
        """What a failed claim may have taken all the same, the next gives back."""
        taken: list[asyncpg.Record] = []
        async with self._claiming:
            try:
                with told_as_connection_error():
                    async with self._pool.acquire() as connection:
                        await self._give_back(connection, worker)
                        return await self._claim(connection, worker, capacity, only, taken)
            except BaseException:
                # Perhaps it was committed and only the answer got lost; then these are ours and we do not know it.
                self._doubtful += [(row["id"], row["epoch"]) for row in taken]
                raise

    async def _claim(
        self,
        connection: "Connection",
        worker: WorkerId,
        capacity: int,
        only: Sequence[ExecutionId] | None,
        taken: list[asyncpg.Record],
    ) -> Sequence[Claimed]:
        """What may be claimed, and then, where there is room, what limits now let through; each in one transaction."""
        claimed: list[Claimed] = []
        while True:
            async with connection.transaction():
                begin = len(taken)
                somebody_waits = await self._take(connection, worker, capacity, only, taken)
                claimed += await load(connection, taken[begin:])
            self._admission.claimed(taken[begin:])
            room = capacity - len(taken)
            if not (somebody_waits and room and await self._admission.admit(connection, room, self._turn.last)):
                return claimed

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
                released = {row["id"] for row in await connection.fetch(_RELEASE, *_columns(letting_go))}
        self._admission.left(released)
        return list(mine - released)

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

    async def drop_snapshot(self, execution_id: ExecutionId) -> None:
        """There is none afterwards."""
        with told_as_connection_error():
            await self._pool.execute("DELETE FROM execution_state WHERE execution_id = $1", execution_id)

    async def _take(
        self,
        connection: "Connection",
        worker: WorkerId,
        capacity: int,
        only: Sequence[ExecutionId] | None,
        taken: list[asyncpg.Record],
    ) -> bool:
        """Put rows that were claimed into `taken`, in turn; gives whether somebody is held."""
        waits = False
        while len(taken) < capacity:
            free = capacity - len(taken)
            if only is None:
                found = await connection.fetch(OWN_IN_TURN, worker, free, *self._turn.arguments)
            else:
                found = await connection.fetch(OWN_AMONG, worker, free, only)
            waits = any(row["waits"] for row in found)
            rows = sorted((row for row in found if row["id"] is not None), key=itemgetter("round", "place", "number"))
            taken += rows
            if rows and only is None:
                self._turn = self._turn.after(rows[-1])
            if not any(row["number"] == row["share"] for row in rows):
                break  # nobody has more than was taken
        return waits

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
