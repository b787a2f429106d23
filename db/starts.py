"""Changes when what a start commits changes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from db.json_text import dump
from db.outages import told_as_connection_error
from db.quotas import quotas_told
from domain.ids import ExecutionId, TenantId, WorkflowId
from domain.starts import NewExecution, StartKey, StartResult, StartStatus

if TYPE_CHECKING:
    from db.connections import EnginePool

# A key that is stored keeps its execution unless it has expired. It is "updated" in either case: that waits for
# whoever is just storing the same key, and gives what then stands. Keys are taken in order, so that calls with the
# same keys cannot block each other. Rows that are there already are this very start, sent again. What has a limit is
# held until a claim finds room for it; what is begun for one worker alone, or by another execution, is not. What is to
# begin later has nothing to do until its wake-up is due.
INSERT = """
WITH key AS (
    INSERT INTO execution_key AS stored (tenant_id, workflow_id, key, execution_id, request_hash, expires_at)
    SELECT $1, k.workflow_id, k.key, k.execution_id, k.request_hash, k.expires_at
    FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::bytea[], $6::timestamptz[])
        AS k (workflow_id, key, execution_id, request_hash, expires_at)
    ORDER BY k.workflow_id, k.key
    ON CONFLICT (tenant_id, workflow_id, key) DO UPDATE
    SET execution_id = CASE WHEN stored.expires_at < now() THEN excluded.execution_id ELSE stored.execution_id END,
        request_hash = CASE WHEN stored.expires_at < now() THEN excluded.request_hash ELSE stored.request_hash END,
        expires_at = CASE WHEN stored.expires_at < now() THEN excluded.expires_at ELSE stored.expires_at END
    RETURNING workflow_id, key, execution_id, request_hash
), superfluous AS (
    SELECT k.execution_id FROM unnest($4::uuid[]) AS k (execution_id)
    WHERE k.execution_id NOT IN (SELECT execution_id FROM key)
), started AS (
    INSERT INTO execution (
        id, tenant_id, workflow_id, version_id, priority, created_at, trigger_type, triggered_by, trigger_id,
        retry_of, root_of, draft, owner, parent_id, parent_path, environment, split_id, test, trial_of, wants_owner,
        held
    )
    SELECT
        n.id, $1, n.workflow_id, n.version_id, n.priority, n.created_at, n.trigger_type, n.triggered_by, n.trigger_id,
        n.retry_of, n.root_of, n.draft, n.owner, n.parent_id, n.parent_path, n.environment, n.split_id,
        n.test, n.trial_of, n.start_at IS NULL,
        n.owner IS NULL AND n.parent_id IS NULL AND (
            coalesce((SELECT max_concurrent IS NOT NULL FROM tenant_limit WHERE tenant_id = $1), $31)
            OR n.workflow_id IN (SELECT workflow_id FROM workflow_limit WHERE tenant_id = $1)
        )
    FROM unnest(
        $7::uuid[], $8::uuid[], $9::uuid[], $10::int[], $11::timestamptz[], $12::text[], $13::text[], $14::uuid[],
        $15::uuid[], $16::uuid[], $17::boolean[], $18::uuid[], $24::uuid[], $25::text[], $26::timestamptz[],
        $27::text[], $28::uuid[], $29::boolean[], $30::uuid[]
    ) AS n (
        id, workflow_id, version_id, priority, created_at, trigger_type, triggered_by, trigger_id,
        retry_of, root_of, draft, owner, parent_id, parent_path, start_at, environment, split_id, test,
        trial_of
    )
    WHERE n.id NOT IN (SELECT execution_id FROM superfluous)
    ON CONFLICT DO NOTHING
), later AS (
    INSERT INTO wake_up (execution_id, path, tenant_id, due_at)
    SELECT n.id, '', $1, n.start_at FROM unnest($7::uuid[], $26::timestamptz[]) AS n (id, start_at)
    WHERE n.start_at IS NOT NULL AND n.id NOT IN (SELECT execution_id FROM superfluous)
    ON CONFLICT DO NOTHING
), begun AS (
    INSERT INTO execution_event (execution_id, seq, tenant_id, epoch, kind, payload, at)
    SELECT e.execution_id, e.seq, $1, 0, e.kind, e.payload::json, e.at
    FROM unnest($19::uuid[], $20::bigint[], $21::text[], $22::text[], $23::timestamptz[])
        AS e (execution_id, seq, kind, payload, at)
    WHERE e.execution_id NOT IN (SELECT execution_id FROM superfluous)
    ON CONFLICT DO NOTHING
)
SELECT workflow_id, key, execution_id, request_hash FROM key
"""

_Key = tuple[WorkflowId, str]


class PostgresStarts:
    """`domain.starts.Starts`. Raises ConnectionError when PostgreSQL does not answer; the same call may be repeated.

    `tenants_limited`: whether a tenant without a limit of its own has one all the same.
    """

    def __init__(self, pool: "EnginePool", *, tenants_limited: bool = False) -> None:
        self._pool = pool
        self._tenants_limited = tenants_limited

    async def insert(self, tenant_id: TenantId, executions: Sequence[NewExecution]) -> Sequence[StartResult]:
        """One statement. Raises QuotaReached; then none is started.

        The workflows and versions must be the tenant's; nobody checks it here.
        """
        if not executions:
            return []
        first: dict[_Key, StartKey] = {}
        new = [each for each in executions if each.key is None or _is_first(each, each.key, first)]
        with told_as_connection_error(), quotas_told(executions[0].created_at):
            rows = await self._pool.fetch(INSERT, tenant_id, *columns(new), self._tenants_limited)
        stored: dict[_Key, tuple[ExecutionId, bytes]] = {
            (row["workflow_id"], row["key"]): (row["execution_id"], row["request_hash"]) for row in rows
        }
        return [_result(each, stored) for each in executions]


def _is_first(new: NewExecution, key: StartKey, seen: dict[_Key, StartKey]) -> bool:
    return seen.setdefault((new.workflow_id, key.key), key) is key


def _result(new: NewExecution, stored: dict[_Key, tuple[ExecutionId, bytes]]) -> StartResult:
    if new.key is None:
        return StartResult(status=StartStatus.STARTED, execution_id=new.id)
    execution_id, request_hash = stored[new.workflow_id, new.key.key]
    if execution_id == new.id:
        status = StartStatus.STARTED
    elif request_hash == new.key.request_hash:
        status = StartStatus.REPEATED
    else:
        status = StartStatus.MISMATCH
    return StartResult(status=status, execution_id=execution_id)


def columns(new: Sequence[NewExecution]) -> tuple[Sequence[object], ...]:
    """The arguments of `INSERT` after the tenant."""
    keys = [(each, each.key) for each in new if each.key is not None]
    events = [(each.id, event) for each in new for event in each.events]
    return (
        [each.workflow_id for each, _ in keys],
        [key.key for _, key in keys],
        [each.id for each, _ in keys],
        [key.request_hash for _, key in keys],
        [key.expires_at for _, key in keys],
        [each.id for each in new],
        [each.workflow_id for each in new],
        [each.version_id for each in new],
        [each.priority for each in new],
        [each.created_at for each in new],
        [each.trigger_type for each in new],
        [each.triggered_by for each in new],
        [each.trigger_id for each in new],
        [each.retry_of for each in new],
        [each.root_of for each in new],
        [each.draft for each in new],
        [each.owner for each in new],
        [execution_id for execution_id, _ in events],
        [event.seq for _, event in events],
        [event.kind for _, event in events],
        [dump(event.payload) for _, event in events],
        [event.at for _, event in events],
        [each.parent_id for each in new],
        [each.parent_path for each in new],
        [each.start_at for each in new],
        [each.environment for each in new],
        [each.split_id for each in new],
        [each.test for each in new],
        [each.trial_of for each in new],
    )
