"""An append that waits for its execution's row: whoever changed the row meanwhile, the append is written."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
import uuid_utils.compat as uuid

from db.connections import Connection, EnginePool
from db.journal_batch import APPEND
from domain.ids import ExecutionId, TenantId, VersionId, WorkflowId
from tests.contract.ledger import until

_ROW = """
INSERT INTO execution (id, tenant_id, workflow_id, version_id, created_at, trigger_type, epoch, owner, wants_owner)
VALUES ($1, $2, $3, $4, $5, 'API', 1, $3, false)
"""
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)"


async def executing(pool: EnginePool, tenant: TenantId) -> ExecutionId:
    execution = ExecutionId(uuid.uuid7())
    ids = WorkflowId(uuid.uuid7()), VersionId(uuid.uuid7())
    await pool.execute(_ROW, execution, tenant, *ids, datetime.now(UTC))
    return execution


# PostgreSQL looks at the row again after the wait. Joined to the events it was lost then, with some lengths of payload.
@pytest.mark.parametrize("size", [10, 150, 200, 300, 1_000, 9_000])
async def test_an_append_that_waited_for_another_s_change_is_written(
    engine_pool: EnginePool, database: str, tenant: TenantId, size: int
) -> None:
    execution = await executing(engine_pool, tenant)
    role = {"role": "weir_engine"}
    ours: Connection = await asyncpg.connect(
        database, server_settings={**role, "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
    )
    theirs: Connection = await asyncpg.connect(database, server_settings=role)
    try:
        append = await ours.prepare(APPEND)
        columns = [
            [execution],
            [2],
            [tenant],
            [1],
            ["LOG"],
            ["n"],
            ["p"],
            [1],
            [f'"{"x" * size}"'],
            [datetime.now(UTC)],
        ]
        async with theirs.transaction():
            await theirs.execute("UPDATE execution SET wants_owner = true WHERE id = $1", execution)
            appending = asyncio.ensure_future(append.fetch(*columns, [True], [], [], [], [], [], []))
            await until(engine_pool, _WAITS, ours.get_server_pid())
        assert await appending == []
    finally:
        await ours.close()
        await theirs.close()

    rows = await engine_pool.fetch(
        "SELECT seq, length(payload::text) FROM execution_event WHERE execution_id = $1", execution
    )
    assert [tuple(row) for row in rows] == [(2, size + 2)]


async def test_an_append_that_waited_while_the_execution_was_claimed_is_refused(
    engine_pool: EnginePool, database: str, tenant: TenantId
) -> None:
    execution = await executing(engine_pool, tenant)
    ours: Connection = await asyncpg.connect(database, server_settings={"role": "weir_engine"})
    theirs: Connection = await asyncpg.connect(database, server_settings={"role": "weir_engine"})
    try:
        append = await ours.prepare(APPEND)
        columns = [[execution], [2], [tenant], [1], ["LOG"], ["n"], ["p"], [1], ["{}"], [datetime.now(UTC)]]
        async with theirs.transaction():
            await theirs.execute("UPDATE execution SET epoch = 2 WHERE id = $1", execution)
            appending = asyncio.ensure_future(append.fetch(*columns, [True], [], [], [], [], [], []))
            await until(engine_pool, _WAITS, ours.get_server_pid())
        assert [row["execution_id"] for row in await appending] == [execution]
    finally:
        await ours.close()
        await theirs.close()

    assert await engine_pool.fetchval("SELECT count(*) FROM execution_event WHERE execution_id = $1", execution) == 0
