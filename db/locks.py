"""Changes when named locks are granted, kept or passed on in another way.

Whoever changes who holds a lock, or waits for it, first takes the advisory locks of all the names concerned, in their
order, and then the execution rows of all that is told or written, in the order of their ids. Everybody else takes
only execution rows, in that order. So nobody waits in a circle.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from db.outages import told_as_connection_error
from domain.ids import ExecutionId, TenantId
from domain.locks import SIGNAL, Answer, Granted, LockRequest, Queued

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

Leaving: TypeAlias = tuple[ExecutionId, str | None]
"""A step that gives up what it holds or waits for; without a path, every step of the execution."""
Woken: TypeAlias = Sequence[tuple[TenantId, ExecutionId]]
"""Executions that got a lock and the signal that says so: to be rung for after the commit."""

_LOCK_NAMES = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(tenant_id::text || name, 0) AS key
    FROM unnest($1::uuid[], $2::text[]) AS n (tenant_id, name)
    ORDER BY key
) AS k
"""
_NAMES_OF = """
SELECT DISTINCT r.tenant_id, r.name
FROM unnest($1::uuid[], $2::text[]) AS l (execution_id, path)
JOIN lock_request AS r ON r.execution_id = l.execution_id AND r.path = coalesce(l.path, r.path)
"""
# The beginning of each line, as far as there are seats for those in it: each asks by how many seats it wants the lock
# to have. Who is over gets none. $3, $4: steps taken for gone.
_NEXT = """
SELECT n.tenant_id, line.name, line.execution_id, line.path
FROM unnest($1::uuid[], $2::text[]) AS n (tenant_id, name)
CROSS JOIN LATERAL (
    SELECT count(*) AS taken FROM lock_request AS r
    WHERE r.tenant_id = n.tenant_id AND r.name = n.name AND r.granted_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM unnest($3::uuid[], $4::text[]) AS l (execution_id, path)
        WHERE l.execution_id = r.execution_id AND r.path = coalesce(l.path, r.path)
    )
) AS held
CROSS JOIN LATERAL (
    SELECT first.*, bool_and(held.taken + first.number <= first.seats) OVER (ORDER BY first.ticket) AS fits
    FROM (
        SELECT r.execution_id, r.path, r.name, r.seats, r.ticket, row_number() OVER (ORDER BY r.ticket) AS number
        FROM (
            SELECT * FROM lock_request AS q
            WHERE q.tenant_id = n.tenant_id AND q.name = n.name AND q.granted_at IS NULL AND NOT EXISTS (
                SELECT FROM unnest($3::uuid[], $4::text[]) AS l (execution_id, path)
                WHERE l.execution_id = q.execution_id AND q.path = coalesce(l.path, q.path)
            ) AND EXISTS (SELECT FROM execution AS x WHERE x.id = q.execution_id AND x.finished_at IS NULL)
            ORDER BY q.ticket
            LIMIT 100
        ) AS r
    ) AS first
) AS line
WHERE line.fits
"""
_LOCK_ROWS = "SELECT id FROM execution WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_DELETE = """
DELETE FROM lock_request AS r USING unnest($1::uuid[], $2::text[]) AS l (execution_id, path)
WHERE r.execution_id = l.execution_id AND r.path = coalesce(l.path, r.path)
"""
# The signal's key is the ticket, so that it is told once.
_GRANT = f"""
WITH granted AS (
    UPDATE lock_request AS r SET granted_at = clock_timestamp()
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS g (execution_id, path, name)
    WHERE r.execution_id = g.execution_id AND r.path = g.path AND r.name = g.name AND r.granted_at IS NULL
    RETURNING r.execution_id, r.path, r.name, r.ticket
), told AS (
    INSERT INTO execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)
    SELECT x.id, x.tenant_id, 'signal', '{SIGNAL}' || g.ticket,
        json_build_object('name', '{SIGNAL}' || g.path, 'payload', json_build_object('lock', g.name)), clock_timestamp()
    FROM granted AS g JOIN execution AS x ON x.id = g.execution_id
    WHERE x.finished_at IS NULL AND (g.execution_id, g.path) IS DISTINCT FROM ($4::uuid, $5::text)
    ORDER BY g.ticket
    ON CONFLICT DO NOTHING
    RETURNING execution_id
)
UPDATE execution AS x SET wants_owner = true FROM told WHERE x.id = told.execution_id RETURNING x.tenant_id, x.id
"""  # noqa: S608 - a constant of ours
_ASK = """
INSERT INTO lock_request (execution_id, path, name, tenant_id, seats) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_PLACE = """
SELECT own.granted_at IS NOT NULL AS granted, (
    SELECT count(*) FROM lock_request AS q
    WHERE q.tenant_id = own.tenant_id AND q.name = own.name AND q.granted_at IS NULL AND q.ticket <= own.ticket
) AS position
FROM lock_request AS own WHERE own.execution_id = $1 AND own.path = $2 AND own.name = $3
"""
_OVER = """
SELECT DISTINCT execution_id FROM lock_request AS r
WHERE NOT EXISTS (SELECT FROM execution AS x WHERE x.id = r.execution_id AND x.finished_at IS NULL)
LIMIT 1000
"""
_LINES = "SELECT DISTINCT tenant_id, name FROM lock_request WHERE granted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Releasing:
    """Whose lines are locked, and `rows`: the executions that may be told, whose rows are to be locked next."""

    lines: "_Lines"
    rows: frozenset[ExecutionId]


async def begin_release(connection: "Connection", leaving: Sequence[Leaving]) -> Releasing | None:
    """The first thing in a transaction that ends with `finish_release`; None: nobody leaving has or wants a lock.

    Between the two, lock `rows` together with the rows of whatever else is written, in the order of their ids.
    """
    steps = _columns(leaving)
    names = await connection.fetch(_NAMES_OF, *steps)
    if not names:
        return None
    lines = _lines(names)
    await connection.execute(_LOCK_NAMES, *lines)
    rows = await connection.fetch(_NEXT, *lines, *steps)
    return Releasing(lines, frozenset(row["execution_id"] for row in rows))


async def finish_release(connection: "Connection", releasing: Releasing, leaving: Sequence[Leaving]) -> Woken:
    """Pass on what these have, some or all of those that were said to be leaving."""
    await connection.execute(_DELETE, *_columns(leaving))
    return await _grant(connection, releasing.lines, releasing.rows)


async def release_locks(connection: "Connection", leaving: Sequence[Leaving]) -> Woken:
    """Both at once, for a transaction that writes nothing else."""
    releasing = await begin_release(connection, leaving)
    if releasing is None:
        return ()
    await connection.execute(_LOCK_ROWS, [*releasing.rows])
    return await finish_release(connection, releasing, leaving)


async def pass_on_locks(connection: "Connection") -> Woken:
    """Release what belongs to executions that are over or gone, and serve every line that can move."""
    over = await connection.fetch(_OVER)
    woken: list[tuple[TenantId, ExecutionId]] = []
    if over:
        async with connection.transaction():
            woken += await release_locks(connection, [(row["execution_id"], None) for row in over])
    lines = _lines(await connection.fetch(_LINES))
    moving = _lines(await connection.fetch(_NEXT, *lines, [], []))
    if moving[0]:
        async with connection.transaction():
            await connection.execute(_LOCK_NAMES, *moving)
            woken += await _serve(connection, moving)
    return woken


class PostgresLocks:
    """Every tenant's locks."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    def desk(self, tenant_id: TenantId) -> "PostgresLockDesk":
        return PostgresLockDesk(self._pool, tenant_id)


class PostgresLockDesk:
    """`domain.locks.LockDesk`. Who is told of a lock here is found by the sweep."""

    def __init__(self, pool: "EnginePool", tenant_id: TenantId) -> None:
        self._pool = pool
        self._tenant_id = tenant_id

    async def acquire(self, request: LockRequest) -> Answer:
        own = request.execution_id, request.path, request.name
        lines = [self._tenant_id], [request.name]
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_LOCK_NAMES, *lines)
                await connection.execute(_ASK, *own, self._tenant_id, request.seats)
                await _serve(connection, lines, own=own[:2])
                (row,) = await connection.fetch(_PLACE, *own)
        return Granted() if row["granted"] else Queued(row["position"])

    async def release(self, execution_id: ExecutionId, path: str) -> None:
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                await release_locks(connection, [(execution_id, path)])


_Lines: TypeAlias = tuple[Sequence[TenantId], Sequence[str]]
"""Tenants and names, side by side."""


def _columns(leaving: Sequence[Leaving]) -> tuple[Sequence[ExecutionId], Sequence[str | None]]:
    return [execution for execution, _ in leaving], [path for _, path in leaving]


def _lines(rows: Sequence[asyncpg.Record]) -> _Lines:
    """Each line once, although several of its rows may be there: twice would count its seats twice."""
    distinct = {(row["tenant_id"], row["name"]) for row in rows}
    return [tenant for tenant, _ in distinct], [name for _, name in distinct]


async def _serve(connection: "Connection", lines: _Lines, *, own: tuple[ExecutionId, str] | None = None) -> Woken:
    """Grant what there are seats for; the names are locked. `own` is answered, not told."""
    rows = await connection.fetch(_NEXT, *lines, [], [])
    await connection.execute(_LOCK_ROWS, [*{row["execution_id"] for row in rows}])
    return await _grant(connection, lines, {row["execution_id"] for row in rows}, own=own)


async def _grant(
    connection: "Connection",
    lines: _Lines,
    locked: AbstractSet[ExecutionId],
    *,
    own: tuple[ExecutionId, str] | None = None,
) -> Woken:
    """Grant to those whose rows are locked, and tell them."""
    rows = [row for row in await connection.fetch(_NEXT, *lines, [], []) if row["execution_id"] in locked]
    if not rows:
        return ()
    columns = [row["execution_id"] for row in rows], [row["path"] for row in rows], [row["name"] for row in rows]
    told = await connection.fetch(_GRANT, *columns, *(own or (None, None)))
    return [(row["tenant_id"], row["id"]) for row in told]
