"""Changes when the rules change by which an execution that a limit holds is let through.

What counts against a limit is counted by rows: executions that were admitted and are not over. So nothing can leak:
a dead worker's executions go on elsewhere in the places they have.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from domain.engine.ports import Append
from domain.ids import ExecutionId

if TYPE_CHECKING:
    from db.connections import Connection

_LOCK = "SELECT pg_advisory_xact_lock($1)"
_KEY = 0x7765_6972_0003  # "weir", 3: one admits at a time, else two would each fill the same place

# `pair` walks from one workflow with somebody held to the next, one index probe each. No room is less than none: a
# lowered limit waits until enough are over. `least` and `coalesce` pass over a limit that there is not.
# $1: how many at most, $2: the limit of tenants without one of their own, $3: whose turn it was last.
CANDIDATES = """
WITH RECURSIVE pair (tenant_id, workflow_id) AS (
    SELECT * FROM (
        SELECT tenant_id, workflow_id FROM execution WHERE owner IS NULL AND wants_owner AND held
        ORDER BY tenant_id, workflow_id LIMIT 1
    ) AS first
  UNION ALL
    SELECT following.* FROM pair CROSS JOIN LATERAL (
        SELECT tenant_id, workflow_id FROM execution
        WHERE owner IS NULL AND wants_owner AND held AND (tenant_id, workflow_id) > (pair.tenant_id, pair.workflow_id)
        ORDER BY tenant_id, workflow_id LIMIT 1
    ) AS following
), tenant AS (
    SELECT t.id, coalesce(l.weight, 1) AS weight, allowed.most - (
        SELECT count(*) FROM execution AS x
        WHERE allowed.most IS NOT NULL AND x.tenant_id = t.id AND x.admitted_at IS NOT NULL AND x.finished_at IS NULL
    ) AS room
    FROM (SELECT DISTINCT tenant_id AS id FROM pair) AS t
    LEFT JOIN tenant_limit AS l ON l.tenant_id = t.id
    CROSS JOIN LATERAL (SELECT CASE WHEN l.tenant_id IS NULL THEN $2::int ELSE l.max_concurrent END AS most) AS allowed
), workflow AS (
    SELECT pair.tenant_id, pair.workflow_id, least(
        l.max_concurrent - (
            SELECT count(*) FROM execution AS x
            WHERE l.max_concurrent IS NOT NULL AND x.tenant_id = pair.tenant_id AND x.workflow_id = pair.workflow_id
                AND x.admitted_at IS NOT NULL AND x.finished_at IS NULL
        ),
        l.max_per_minute - (
            SELECT count(*) FROM execution AS x
            WHERE l.max_per_minute IS NOT NULL AND x.tenant_id = pair.tenant_id AND x.workflow_id = pair.workflow_id
                AND x.admitted_at > clock_timestamp() - interval '1 minute'
        )
    ) AS room
    FROM pair LEFT JOIN workflow_limit AS l USING (workflow_id)
), candidate AS (
    SELECT workflow.tenant_id, own.id,
        row_number() OVER (PARTITION BY workflow.tenant_id ORDER BY own.priority DESC, own.id) AS number
    FROM workflow
    JOIN tenant ON tenant.id = workflow.tenant_id
    CROSS JOIN LATERAL (
        SELECT id, priority FROM execution
        WHERE tenant_id = workflow.tenant_id AND workflow_id = workflow.workflow_id
            AND owner IS NULL AND wants_owner AND held
        ORDER BY priority DESC, id
        LIMIT greatest(0, least(workflow.room, tenant.room, $1))
    ) AS own
), chosen AS MATERIALIZED (
    SELECT candidate.tenant_id, candidate.id
    FROM candidate JOIN tenant ON tenant.id = candidate.tenant_id
    WHERE number <= coalesce(tenant.room, $1)
    ORDER BY (number - 1) / tenant.weight, tenant.id <= $3::uuid, tenant.id, number
    LIMIT $1
)
"""
# Who is to be cancelled takes nobody's place: its owner only writes its end.
_LET_THROUGH = """
, leaving AS (
    UPDATE execution SET held = false WHERE held AND cancel_requested_at IS NOT NULL RETURNING id
), admitted AS (
    UPDATE execution AS x SET held = false, admitted_at = clock_timestamp()
    FROM chosen
    WHERE x.id = chosen.id AND x.held AND x.owner IS NULL AND x.cancel_requested_at IS NULL
    RETURNING x.id
)
SELECT (SELECT count(*) FROM leaving) + (SELECT count(*) FROM admitted)
"""
_ADMIT = CANDIDATES + _LET_THROUGH

_PAUSE = 0.05
"""Seconds between two looks of which the first found no room, unless somebody here has made room since."""
_MOST_KNOWN = 100_000


class Admission:
    """Lets held executions through, no oftener than it can be of use; of one worker.

    `most_per_tenant`: the limit of tenants that have none of their own. `bell` is rung when a claim may find more
    than the last one did.
    """

    def __init__(self, *, most_per_tenant: int | None, bell: Callable[[], None] | None) -> None:
        self._most_per_tenant = most_per_tenant
        self._bell = bell
        self._next = 0.0
        self._coming: asyncio.TimerHandle | None = None
        self._here: set[ExecutionId] = set()

    async def admit(self, connection: "Connection", room: int, turn: UUID) -> int:
        """How many more may be claimed now, in a transaction of its own; 0 when it is too soon to look again."""
        if monotonic() < self._next:
            self._look_later()
            return 0
        self._next = 0.0
        async with connection.transaction():
            # Two statements, so that the second sees whom the last holder of the lock let through.
            await connection.execute(_LOCK, _KEY)
            admitted: int = await connection.fetchval(_ADMIT, room, self._most_per_tenant, turn)
        if admitted < room:
            self._next = monotonic() + _PAUSE
        return admitted

    def claimed(self, rows: Iterable[asyncpg.Record]) -> None:
        """Remember who has a place of a limit, to hear of its end."""
        if len(self._here) > _MOST_KNOWN:
            self._here.clear()  # forgetting costs a second: the sweep finds what may begin
        self._here.update(row["id"] for row in rows if row["admitted"])

    def left(self, ids: Iterable[ExecutionId]) -> None:
        """These are no longer this worker's."""
        self._here.difference_update(ids)

    def committed(self, appends: Sequence[Append]) -> None:
        """For the journal's `on_committed`: where one with a place is over, another may have it."""
        over = {append.execution_id for append in appends if append.finished is not None} & self._here
        if over:
            self._here -= over
            self._next = 0.0
            if self._bell is not None:
                self._bell()

    def _look_later(self) -> None:
        if self._bell is not None and self._coming is None:
            delay = max(0.0, self._next - monotonic())
            self._coming = asyncio.get_running_loop().call_later(delay, self._look)

    def _look(self) -> None:
        self._coming = None
        if self._bell is not None:
            self._bell()
