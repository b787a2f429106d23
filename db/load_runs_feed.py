"""Changes when the commit changes that begins more executions of a load run, or ends it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from db.json_text import dump
from db.load_runs import COLUMNS, load_run
from db.load_runs_report import measured
from db.outages import told_as_connection_error
from db.quotas import quotas_told
from db.starts import INSERT, columns
from domain.ids import ExecutionId, LoadRunId, TenantId
from domain.load_runs import LoadRun
from domain.load_runs_feed import Fed, due, executions
from domain.load_runs_report import report_to_json
from domain.quotas import QuotaReached
from domain.sources import Ids

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

_QUOTA_PAUSE = timedelta(seconds=5)
_UNDER_WAY = "SELECT tenant_id, id FROM load_run WHERE finished_at IS NULL ORDER BY id"
# One at a time: whoever comes second sees what the first has begun.
_LOCK = f"SELECT {COLUMNS} FROM load_run WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL FOR UPDATE"  # noqa: S608 - constants
_RUNNING = "SELECT id FROM execution WHERE tenant_id = $1 AND trial_of = $2 AND finished_at IS NULL ORDER BY id"
_BEGUN = "UPDATE load_run SET begun = begun + $3 WHERE tenant_id = $1 AND id = $2"
_END = "UPDATE load_run SET finished_at = clock_timestamp(), report = $3::text::json WHERE tenant_id = $1 AND id = $2"


class PostgresLoadFeeding:
    """`domain.load_runs_feed.LoadFeeding`. Raises ConnectionError when PostgreSQL does not answer; then ask again.

    `tenants_limited`: whether a tenant without a limit of its own has one all the same.
    """

    def __init__(self, pool: "EnginePool", *, tenants_limited: bool = False) -> None:
        self._pool = pool
        self._tenants_limited = tenants_limited

    async def under_way(self) -> Sequence[tuple[TenantId, LoadRunId]]:
        with told_as_connection_error():
            rows = await self._pool.fetch(_UNDER_WAY)
        return [(TenantId(row["tenant_id"]), LoadRunId(row["id"])) for row in rows]

    async def feed(self, tenant_id: TenantId, run_id: LoadRunId, *, ids: Ids, now: datetime) -> Fed:
        """One transaction: what is begun is counted, or it was not begun. Where a quota is reached, the run waits."""
        try:
            return await self._once(tenant_id, run_id, ids, now)
        except QuotaReached:
            return Fed(later=now + _QUOTA_PAUSE)

    async def _once(self, tenant_id: TenantId, run_id: LoadRunId, ids: Ids, now: datetime) -> Fed:
        with told_as_connection_error(), quotas_told(now):
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(_LOCK, tenant_id, run_id)
                if row is None:
                    return Fed(finished=True)
                return await self._fed(connection, tenant_id, load_run(dict(row)), ids, now)

    async def _fed(self, connection: "Connection", tenant_id: TenantId, run: LoadRun, ids: Ids, now: datetime) -> Fed:
        running = [ExecutionId(row["id"]) for row in await connection.fetch(_RUNNING, tenant_id, run.id)]
        wanted = due(run, len(running), now)
        if wanted.number:
            new = executions(run, wanted.number, ids=ids, now=now)
            await connection.fetch(INSERT, tenant_id, *columns(new), self._tenants_limited)
            await connection.execute(_BEGUN, tenant_id, run.id, len(new))
            return Fed(begun=new, later=wanted.later)
        if running:
            cancelled = running if run.cancelled_at is not None else ()
            return Fed(cancelled=cancelled, cancelled_by=run.cancelled_by, later=wanted.later)
        if run.begun < run.count and run.cancelled_at is None:
            return Fed(later=wanted.later)
        report = await measured(tenant_id, run.id, run.created_at, fetch=connection.fetch)
        await connection.execute(_END, tenant_id, run.id, dump(report_to_json(report)))
        return Fed(finished=True)
