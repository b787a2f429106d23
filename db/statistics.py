"""Changes when executions are counted or timed in another way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from db.partitions import first_id
from db.statements import Row, fetch
from domain.engine.ports import ExecutionStatus
from domain.ids import TenantId, WorkflowId
from domain.statistics import Bucket, Durations, Tally, Window

# Ids are in the order of time: they choose the partitions and the part of the index execution_by_workflow.
_CHOSEN = """
FROM execution
WHERE tenant_id = $1 AND workflow_id = ANY($2::uuid[]) AND id >= $3 AND id < $4
    AND created_at >= $5 AND created_at < $6 AND NOT draft AND NOT test
"""
_TOTALS = (
    """
SELECT workflow_id, status, count(*) AS number, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (
    ORDER BY 1000 * extract(epoch FROM finished_at - started_at)::double precision
) FILTER (WHERE finished_at IS NOT NULL) AS durations
"""
    + _CHOSEN
    + "GROUP BY GROUPING SETS ((workflow_id, status), (workflow_id))"
)
"""One row for each status, and one without a status for all of them together."""
_BUCKETS = (
    """
SELECT workflow_id, date_bin($7::interval, created_at, $5) AS at, count(*) AS started,
    count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
    count(*) FILTER (WHERE status = 'FAILED') AS failed,
    count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled
"""
    + _CHOSEN
    + "GROUP BY workflow_id, at ORDER BY at"
)
_SKEW = timedelta(hours=1)
"""How far an id's time may be from `created_at`, which decides."""


class ExecutionStatistics:
    """Implements `domain.statistics.StatisticsReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def tallies(self, ids: Sequence[WorkflowId], window: Window) -> Mapping[WorkflowId, Tally]:
        lowest, highest = first_id(window.since - _SKEW), first_id(window.until + _SKEW)
        chosen = (self._tenant_id, list(ids), lowest, highest, window.since, window.until)
        counts: dict[WorkflowId, dict[ExecutionStatus, int]] = defaultdict(dict)
        durations: dict[WorkflowId, Durations] = {}
        for row in await fetch(_TOTALS, *chosen):
            workflow = WorkflowId(row["workflow_id"])
            if row["status"] is None:
                durations[workflow] = _durations(row["durations"])
            else:
                counts[workflow][ExecutionStatus(row["status"])] = row["number"]
        buckets: dict[WorkflowId, list[Bucket]] = defaultdict(list)
        for row in await fetch(_BUCKETS, *chosen, window.width):
            buckets[WorkflowId(row["workflow_id"])].append(_bucket(row))
        return {
            workflow: Tally(counts=counts[workflow], durations=each, buckets=buckets[workflow])
            for workflow, each in durations.items()
        }


def _durations(percentiles: Sequence[float | None] | None) -> Durations:
    p50, p95, p99 = percentiles or (None, None, None)
    return Durations(p50=p50, p95=p95, p99=p99)


def _bucket(row: Row) -> Bucket:
    return Bucket(
        at=row["at"],
        started=row["started"],
        completed=row["completed"],
        failed=row["failed"],
        cancelled=row["cancelled"],
    )
