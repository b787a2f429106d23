"""Changes when splits are stored, or what they compare is counted, in another way."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from db import keyset
from db.partitions import first_id
from db.promotions import lock_workflow, remember
from db.statements import Row, fetch
from db.violations import violated
from domain.environments import DEFAULT
from domain.ids import SplitId, TenantId, VersionId, WorkflowId
from domain.paging import Direction, Page, Slice, cut
from domain.promotions import Promotion
from domain.splits import Measured, Split, SplitEnd

_COLUMNS = """
id, workflow_id, environment, baseline_id, candidate_id, percent, started_at, started_by, ended_at, ended_by,
promoted_id
"""
_SELECT = f"SELECT {_COLUMNS} FROM workflow_split WHERE tenant_id = $1 AND "  # noqa: S608 -- a constant
_ACTIVE_THERE = """
SELECT version_id AS active_version_id FROM workflow_environment
WHERE tenant_id = $1 AND workflow_id = $2 AND environment = $3
"""
_BEGIN = """
INSERT INTO workflow_split
    (tenant_id, id, workflow_id, environment, baseline_id, candidate_id, percent, started_at, started_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_POINT = "UPDATE workflow SET split_id = $3 WHERE tenant_id = $1 AND id = $2"
_CHANGE = "UPDATE workflow_split SET percent = $3 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL RETURNING id"
_END = """
UPDATE workflow_split SET ended_at = $3, ended_by = $4, promoted_id = $5
WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL
RETURNING id
"""
_MAKE_ACTIVE = """
UPDATE workflow SET active_version_id = $3, split_id = NULL, revision = revision + 1, updated_at = $4
WHERE tenant_id = $1 AND id = $2
"""
_MAKE_ACTIVE_THERE = """
UPDATE workflow_environment SET version_id = $3, active_since = $4, activated_by = $5
WHERE tenant_id = $1 AND workflow_id = $2 AND environment = $6
"""
# Ids are times: the lowest one chooses the partitions.
_PLACED = "FROM execution WHERE tenant_id = $1 AND split_id = $2 AND id >= $3"
_MEASURE = f"""
SELECT version_id, count(*) AS executions,
    count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
    count(*) FILTER (WHERE status = 'FAILED') AS failed,
    count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at) * 1000.0)
        FILTER (WHERE status = 'COMPLETED') AS ms
{_PLACED}
GROUP BY version_id
"""  # noqa: S608 -- a constant
_ERRORS = f"""
SELECT version_id, coalesce(error ->> 'code', 'UNKNOWN') AS code, count(*) AS count {_PLACED} AND status = 'FAILED'
GROUP BY 1, 2 ORDER BY 3 DESC, 2
"""
_SKEW = timedelta(hours=1)
"""How far the clocks of those who begin executions may be apart."""


class Splits:
    """Implements `domain.splits.SplitStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[SplitId]) -> Sequence[Split]:
        rows = await fetch(_SELECT + "id = ANY($2::uuid[])", self._tenant_id, list(ids))
        return [split_of(row) for row in rows]

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Split]:
        after, before = (place.id if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        where = "workflow_id = $2 AND ($3::uuid IS NULL OR id < $3) AND ($4::uuid IS NULL OR id > $4)"
        order = f" ORDER BY id {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_SELECT + where + order, self._tenant_id, workflow_id, after, before)
        return cut([split_of(row) for row in rows], page)

    async def save(self, split: Split) -> bool:
        changed = await fetch(_CHANGE, self._tenant_id, split.id, split.percent)
        if changed:
            return True
        if await self.by_ids([split.id]):
            return False  # over
        try:
            return await self._begin(split)
        except IntegrityError as error:
            if violated(error) != "workflow_split_open":
                raise
            return False

    async def _begin(self, split: Split) -> bool:
        async with in_transaction():
            there = await lock_workflow(self._tenant_id, split.workflow_id)
            if split.environment != DEFAULT:
                there = await fetch(_ACTIVE_THERE, self._tenant_id, split.workflow_id, split.environment)
            if [row["active_version_id"] for row in there] != [split.baseline_id]:
                return False
            await fetch(
                _BEGIN,
                self._tenant_id,
                split.id,
                split.workflow_id,
                split.environment,
                split.baseline_id,
                split.candidate_id,
                split.percent,
                split.started_at,
                split.started_by,
            )
            if split.environment == DEFAULT:
                await fetch(_POINT, self._tenant_id, split.workflow_id, split.id)
        return True

    async def end(self, split: Split, end: SplitEnd) -> bool:
        tenant, workflow, winner = self._tenant_id, split.workflow_id, end.winner
        async with in_transaction():
            await lock_workflow(tenant, workflow)
            if not await fetch(_END, tenant, split.id, end.at, end.by, winner):
                return False
            if split.environment == DEFAULT:
                await fetch(_MAKE_ACTIVE, tenant, workflow, winner, end.at)
            elif winner != split.baseline_id:
                await fetch(_MAKE_ACTIVE_THERE, tenant, workflow, winner, end.at, end.by, split.environment)
            if winner != split.baseline_id:
                await remember(tenant, _promotion(split, end))
        return True

    async def measured(self, split: Split) -> Sequence[Measured]:
        chosen = self._tenant_id, split.id, first_id(split.started_at - _SKEW)
        errors: dict[VersionId, dict[str, int]] = {}
        for row in await fetch(_ERRORS, *chosen):
            errors.setdefault(VersionId(row["version_id"]), {})[row["code"]] = row["count"]
        return [_measured(row, errors) for row in await fetch(_MEASURE, *chosen)]


def _promotion(split: Split, end: SplitEnd) -> Promotion:
    return Promotion(
        id=end.promotion_id,
        workflow_id=split.workflow_id,
        source=None,
        target=split.environment,
        version_id=end.winner,
        previous_id=split.baseline_id,
        note=end.note,
        promoted_at=end.at,
        promoted_by=end.by,
    )


def split_of(row: Row) -> Split:
    return Split(
        id=SplitId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        environment=row["environment"],
        baseline_id=VersionId(row["baseline_id"]),
        candidate_id=VersionId(row["candidate_id"]),
        percent=row["percent"],
        started_at=row["started_at"],
        started_by=row["started_by"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
        promoted_id=VersionId(row["promoted_id"]) if row["promoted_id"] else None,
    )


def _measured(row: Row, errors: Mapping[VersionId, Mapping[str, int]]) -> Measured:
    version = VersionId(row["version_id"])
    p50, p95 = row["ms"] or (None, None)
    return Measured(
        version_id=version,
        executions=row["executions"],
        completed=row["completed"],
        failed=row["failed"],
        cancelled=row["cancelled"],
        p50_ms=_float(p50),
        p95_ms=_float(p95),
        errors=errors.get(version, {}),
    )


def _float(value: Any) -> float | None:
    return round(float(value), 3) if value is not None else None
