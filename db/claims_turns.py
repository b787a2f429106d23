"""Changes when tenants take turns by another rule, or a worker claims among other executions."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

# Tenants in turn. `tenant` walks from one tenant with something to do to the next, one index probe each: from where
# the last claim ended ($3) to the end, and from the beginning to there. `chosen` takes a share of the capacity ($2)
# from each, by weight, and each tenant's first round before any tenant's second. So what is read and locked is what is
# taken, and less than one more per tenant, however much is waiting. A round is as many executions as the tenant has
# weight; of the first tenant's round $5 are gone already, if it is $4. MATERIALIZED: run twice, it would lock twice as
# many. What a limit holds is not looked at here.
_IN_TURN = """
WITH RECURSIVE tenant (lap, id, number) AS (
    VALUES (0, $3::uuid, 0), (1, '00000000-0000-0000-0000-000000000000', 0)
  UNION ALL
    SELECT tenant.lap, following.tenant_id, tenant.number + 1
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT tenant_id FROM execution
        WHERE owner IS NULL AND wants_owner AND NOT held AND tenant_id > tenant.id
        ORDER BY tenant_id
        LIMIT 1
    ) AS following
    WHERE tenant.number < $2 AND (tenant.lap = 0 OR following.tenant_id <= $3)
), turn AS (
    SELECT tenant.id, row_number() OVER (ORDER BY lap, tenant.id) AS place, coalesce(l.weight, 1) AS weight,
        CASE WHEN tenant.id = $4 THEN $5::int ELSE 0 END AS had
    FROM tenant LEFT JOIN tenant_limit AS l ON l.tenant_id = tenant.id
    WHERE number > 0
    ORDER BY place
    LIMIT $2
), sized AS (
    SELECT *, ceil($2::float8 * weight / sum(weight) OVER ())::bigint AS share FROM turn
), chosen AS MATERIALIZED (
    SELECT own.execution_id AS id, sized.place, sized.weight, sized.share, own.number,
        (own.number + sized.had - 1) / sized.weight AS round
    FROM sized
    CROSS JOIN LATERAL claimable(sized.id, sized.share) AS own
    ORDER BY round, sized.place, own.number
    LIMIT $2
)
"""
# Those that were begun for this worker alone (epoch 0) have it as their owner already.
_AMONG = """
WITH chosen AS MATERIALIZED (
    SELECT x.id, 1 AS place, 1 AS weight, $2::bigint AS share,
        row_number() OVER (ORDER BY x.priority DESC, x.id) AS number, 0 AS round
    FROM (
        SELECT id, priority FROM execution
        WHERE id = ANY ($3::uuid[]) AND wants_owner AND NOT held AND (owner IS NULL OR owner = $1 AND epoch = 0)
        ORDER BY priority DESC, id
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS x
)
"""
_OWN = """
, owned AS (
    UPDATE execution AS x
    SET owner = $1,
        epoch = x.epoch + 1,
        wants_owner = false,
        status = CASE x.status WHEN 'PAUSED' THEN 'PAUSED' ELSE 'RUNNING' END,
        started_at = coalesce(x.started_at, clock_timestamp())
    FROM chosen
    WHERE x.id = chosen.id
    RETURNING x.id, x.tenant_id, x.workflow_id, x.version_id, x.epoch, x.priority,
        x.admitted_at IS NOT NULL AS admitted, chosen.place, chosen.weight, chosen.share, chosen.number, chosen.round
)
"""
# At least one row, so that it is known whether somebody is held although nothing was claimed.
_AND_WHO_WAITS = """
SELECT crowd.waits, owned.*
FROM (SELECT EXISTS (SELECT FROM execution WHERE owner IS NULL AND wants_owner AND held) AS waits) AS crowd
LEFT JOIN owned ON true
"""
_AND_NO_MORE = "SELECT false AS waits, owned.* FROM owned"

OWN_IN_TURN = _IN_TURN + _OWN + _AND_WHO_WAITS
"""For the worker $1, up to $2 executions; `id` is null in a row that says no more than that somebody is held."""
OWN_AMONG = _AMONG + _OWN + _AND_NO_MORE
"""The same of the executions $3 alone, by their priority."""

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Turn:
    """The tenant that was served `last`; `had`: how many of its present round it has had, 0 when the round is over."""

    last: UUID = _NOBODY
    had: int = 0

    @property
    def arguments(self) -> tuple[UUID, UUID, int]:
        """$3 to $5 of OWN_IN_TURN: a tenant whose round goes on comes first once more."""
        return UUID(int=self.last.int - 1) if self.had else self.last, self.last, self.had

    def after(self, row: asyncpg.Record) -> "Turn":
        """When this row was the last to be claimed."""
        tenant: UUID = row["tenant_id"]
        already = self.had if tenant == self.last else 0
        in_round = row["number"] + already - row["round"] * row["weight"]
        return Turn(tenant, in_round if in_round < row["weight"] else 0)
