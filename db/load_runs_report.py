"""Changes when load runs are measured in another way."""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from db.partitions import first_id
from domain.engine.ports import ExecutionStatus
from domain.ids import TenantId
from domain.load_runs_report import LoadReport, NodeTime, Spread

SLOWEST = 10
"""By total and by 95th percentile each."""

# Ids are in the order of time: they choose the partitions.
_OF_RUN = "FROM execution AS x WHERE x.tenant_id = $1 AND x.trial_of = $2 AND x.id >= $3"
_COUNTS = f"""
SELECT status, CASE WHEN status = 'FAILED' THEN coalesce(error ->> 'code', '') END AS code, count(*) AS number
{_OF_RUN}
GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""
# `created_at` is by the clock of who began it, the other two by the database's.
_TIMES = f"""
SELECT extract(epoch FROM max(finished_at) - min(created_at))::double precision AS seconds,
    count(*) FILTER (WHERE finished_at IS NOT NULL) AS finished,
    percentile_cont(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP (
        ORDER BY 1000 * extract(epoch FROM finished_at - started_at)::double precision
    ) FILTER (WHERE finished_at IS NOT NULL) AS durations,
    percentile_cont(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP (
        ORDER BY greatest(0, 1000 * extract(epoch FROM started_at - created_at)::double precision)
    ) FILTER (WHERE started_at IS NOT NULL) AS waits
{_OF_RUN}
"""  # noqa: S608 - made of constants
# The name that a test gives a node; the elements of an `each` are in what it took as a whole.
_NODES = f"""
WITH attempt AS (
    SELECT regexp_replace(e.path, '\\[[0-9]+\\]|#[0-9]+|:undo$', '', 'g') AS node,
        (e.payload ->> 'ms')::double precision AS ms
    FROM (SELECT x.id {_OF_RUN}) AS x JOIN execution_event AS e ON e.execution_id = x.id
    WHERE e.tenant_id = $1 AND e.execution_id >= $3 AND e.kind IN ('STEP_COMPLETED', 'STEP_FAILED')
        AND e.path NOT LIKE '%]' AND json_typeof(e.payload -> 'ms') = 'number'
), measured AS (
    SELECT node, count(*) AS attempts, sum(ms) AS total, max(ms) AS longest,
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY ms) AS ms
    FROM attempt GROUP BY node
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY total DESC, node) AS by_total,
        row_number() OVER (ORDER BY ms[2] DESC, node) AS by_time
    FROM measured
)
SELECT node, attempts, total, longest, ms FROM ranked WHERE least(by_total, by_time) <= $4 ORDER BY by_total
"""  # noqa: S608 - made of constants
_SKEW = timedelta(hours=1)
"""How far an id's time may be from the clock's."""


class Fetch(Protocol):
    """Runs a statement: `db.statements.fetch` as the application, a connection's `fetch` as the engine."""

    def __call__(self, sql: str, /, *arguments: Any) -> Awaitable[Sequence[Any]]: ...


async def measured(tenant_id: TenantId, trial_of: UUID, since: datetime, *, fetch: Fetch) -> LoadReport:
    """What the executions that are trials of this have come to; none was begun before `since`."""
    chosen = tenant_id, trial_of, first_id(since - _SKEW)
    statuses: dict[ExecutionStatus, int] = {}
    errors: dict[str, int] = {}
    for row in await fetch(_COUNTS, *chosen):
        status = ExecutionStatus(row["status"])
        statuses[status] = statuses.get(status, 0) + row["number"]
        if row["code"]:
            errors[row["code"]] = row["number"]
    (times,) = await fetch(_TIMES, *chosen)
    nodes = await fetch(_NODES, *chosen, SLOWEST)
    seconds = max(0.0, times["seconds"] or 0.0)
    return LoadReport(
        begun=sum(statuses.values()),
        running=sum(number for status, number in statuses.items() if not status.terminal),
        seconds=round(seconds, 3),
        per_second=round(times["finished"] / seconds, 3) if seconds > 0 else None,
        statuses=statuses,
        errors=errors,
        durations=_spread(times["durations"]),
        queue_waits=_spread(times["waits"]),
        nodes=[_node(row) for row in nodes],
    )


def _spread(percentiles: Sequence[float | None] | None) -> Spread:
    p50, p95, p99, longest = (_rounded(each) for each in percentiles or (None,) * 4)
    return Spread(p50=p50, p95=p95, p99=p99, max=longest)


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if value is not None else None


def _node(row: Any) -> NodeTime:
    p50, p95 = row["ms"]
    return NodeTime(
        node=row["node"],
        attempts=row["attempts"],
        total_ms=round(row["total"], 3),
        p50_ms=round(p50, 3),
        p95_ms=round(p95, 3),
        max_ms=round(row["longest"], 3),
    )
