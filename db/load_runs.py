"""Changes when load runs are stored, listed or cancelled in another way."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from tortoise.exceptions import IntegrityError

from db import keyset
from db.json_text import dump
from db.load_runs_report import measured
from db.statements import fetch
from db.violations import violated
from domain.ids import LoadRunId, TenantId, VersionId, WorkflowId
from domain.load_runs import LoadRun, LoadRunUnderWay
from domain.load_runs_report import LoadReport, report_from_json
from domain.paging import Direction, Page, Slice, cut

COLUMNS = """
id, workflow_id, version_id, count, concurrency, rate, begins_with::text AS begins_with, timeout, draft, begun,
created_at, created_by, cancelled_at, cancelled_by, finished_at, report::text AS report
"""
_SELECT = f"SELECT {COLUMNS} FROM load_run WHERE tenant_id = $1 AND "  # noqa: S608 - made of constants
_BY_IDS = _SELECT + "id = ANY($2::uuid[])"
_PAGE = _SELECT + "workflow_id = $2 AND ($3::uuid IS NULL OR id < $3) AND ($4::uuid IS NULL OR id > $4)"
_INSERT = """
INSERT INTO load_run (tenant_id, id, workflow_id, version_id, count, concurrency, rate, begins_with, timeout, draft,
    created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11, $12)
"""
# Waits for whoever begins executions of it just now: afterwards nobody does.
_CANCEL = """
UPDATE load_run SET cancelled_at = $3, cancelled_by = $4
WHERE tenant_id = $1 AND id = $2 AND cancelled_at IS NULL AND finished_at IS NULL
RETURNING id
"""


class LoadRuns:
    """Implements `domain.load_runs.LoadRunStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[LoadRunId]) -> Sequence[LoadRun]:
        return [load_run(row) for row in await fetch(_BY_IDS, self._tenant_id, list(ids))]

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[LoadRun]:
        after, before = (place.id if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        order = f" ORDER BY id {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_PAGE + order, self._tenant_id, workflow_id, after, before)
        return cut([load_run(row) for row in rows], page)

    async def insert(self, run: LoadRun) -> None:
        try:
            await fetch(
                _INSERT,
                self._tenant_id,
                run.id,
                run.workflow_id,
                run.version_id,
                run.count,
                run.concurrency,
                run.rate,
                dump(run.begins_with),
                run.timeout,
                run.draft,
                run.created_at,
                run.created_by,
            )
        except IntegrityError as error:
            raise LoadRunUnderWay if violated(error) == "load_run_open" else error from error

    async def cancel(self, run_id: LoadRunId, by: str, at: datetime) -> bool:
        return bool(await fetch(_CANCEL, self._tenant_id, run_id, at, by))

    async def reports(self, runs: Sequence[LoadRun]) -> Mapping[LoadRunId, LoadReport]:
        return {
            run.id: run.report or await measured(self._tenant_id, run.id, run.created_at, fetch=fetch) for run in runs
        }


def load_run(row: Mapping[str, Any]) -> LoadRun:
    """Of a row with COLUMNS."""
    return LoadRun(
        id=LoadRunId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        version_id=VersionId(row["version_id"]),
        count=row["count"],
        concurrency=row["concurrency"],
        rate=row["rate"],
        begins_with=orjson.loads(row["begins_with"]),
        timeout=row["timeout"],
        draft=row["draft"],
        begun=row["begun"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        cancelled_at=row["cancelled_at"],
        cancelled_by=row["cancelled_by"],
        finished_at=row["finished_at"],
        report=report_from_json(orjson.loads(row["report"]) if row["report"] is not None else None),
    )
