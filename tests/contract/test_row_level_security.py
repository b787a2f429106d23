"""The database itself keeps tenants apart, table by table, whatever a query asks for."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import uuid_utils.compat as uuid

from db import models
from db.connections import APP_ROLE, Connection, EnginePool, NoTenant, tenant_scope
from domain.ids import TenantId
from tests.databases import make_tenant

RECORD = "tortoise_migrations"
GRANTS = {
    "account": ("", "DELETE INSERT SELECT UPDATE"),
    "api_key": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "audit_checkpoint": ("INSERT SELECT", "INSERT SELECT"),
    "audit_entry": ("INSERT SELECT", "INSERT SELECT"),
    "dead_letter_dismissal": ("INSERT SELECT", "DELETE INSERT SELECT UPDATE"),
    "connection": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "connection_secret": ("DELETE INSERT", "DELETE INSERT SELECT UPDATE"),
    "data_key": ("INSERT SELECT", "DELETE INSERT SELECT UPDATE"),
    "environment": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "execution": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "execution_event": ("SELECT", "INSERT SELECT"),
    "execution_inbox": ("", "DELETE INSERT SELECT UPDATE"),
    "execution_key": ("", "DELETE INSERT SELECT UPDATE"),
    "execution_state": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "failed_attempt": ("", "DELETE INSERT SELECT UPDATE"),
    "file": ("DELETE INSERT SELECT", "DELETE INSERT SELECT UPDATE"),
    "file_leftover": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "file_usage": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "load_run": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "lock_request": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "membership": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "promotion": ("INSERT SELECT", "DELETE INSERT SELECT"),
    "publish_request": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "publish_rule": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "quota_use": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "refresh_token": ("", "DELETE INSERT SELECT UPDATE"),
    "session": ("", "DELETE INSERT SELECT UPDATE"),
    "stream": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "stream_message": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "task": ("SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "task_entry": ("INSERT SELECT", "DELETE INSERT SELECT"),
    "tenant": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "tenant_limit": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "tenant_quota": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "test_case": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "trigger": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "wake_up": ("SELECT", "DELETE INSERT SELECT UPDATE"),
    "worker": ("", "DELETE INSERT SELECT UPDATE"),
    "workflow": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "workflow_environment": ("DELETE INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "workflow_branch": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "workflow_limit": ("DELETE INSERT SELECT", "DELETE INSERT SELECT UPDATE"),
    "workflow_split": ("INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"),
    "workflow_version": ("INSERT SELECT", "INSERT SELECT"),
}
"""What the application and the engine may do; on a partition nobody may do anything."""


def tables(part: str) -> list[str]:
    """Those on which the application has the privilege and which hold a tenant."""
    return [name for name, (app, _) in GRANTS.items() if part in app.split() and name != "tenant"]


@pytest.fixture(scope="module")
async def populated(engine_pool: EnginePool) -> Mapping[str, TenantId]:
    """Two tenants, each with a row in every table that holds one."""
    return {"first": await populate(engine_pool), "second": await populate(engine_pool)}


@pytest.fixture
async def second(database: str, populated: Mapping[str, TenantId]) -> AsyncGenerator[Connection]:
    """A connection of the application for the second tenant."""
    settings = {"role": APP_ROLE, "weir.tenant": str(populated["second"])}
    connection: Connection = await asyncpg.connect(database, server_settings=settings)
    yield connection
    await connection.close()


async def populate(pool: EnginePool) -> TenantId:
    tenant = await make_tenant(pool)
    connection = uuid.uuid7()
    account, workflow, version, other, execution = (uuid.uuid7() for _ in range(5))
    task = uuid.uuid7()
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)
    rows: list[tuple[str, tuple[object, ...]]] = [
        ("account (id, email, name, password_hash, created_at)", (account, account.hex, "A", "x", now)),
        ("membership (tenant_id, account_id, role, created_at)", (tenant, account, "admin", now)),
        (
            "api_key (id, tenant_id, name, role, secret_hash, created_at)",
            (uuid.uuid7(), tenant, "k", "admin", b"x", now),
        ),
        (
            "refresh_token (id, tenant_id, account_id, family, secret_hash, created_at, expires_at)",
            (uuid.uuid7(), tenant, account, uuid.uuid7(), b"x", now, later),
        ),
        (
            "session (id, tenant_id, account_id, created_at, last_used_at, expires_at)",
            (uuid.uuid7(), tenant, account, now, now, later),
        ),
        (
            "workflow (id, tenant_id, name, draft, created_at, updated_at)",
            (workflow, tenant, "w", "{}", now, now),
        ),
        (
            "workflow_version (id, tenant_id, workflow_id, number, content_hash, definition, created_at)",
            (version, tenant, workflow, 1, b"x", "{}", now),
        ),
        (
            "workflow_version (id, tenant_id, workflow_id, number, content_hash, definition, created_at)",
            (other, tenant, workflow, 2, b"y", "{}", now),
        ),
        (
            "trigger (id, tenant_id, workflow_id, type, created_at, updated_at)",
            (uuid.uuid7(), tenant, workflow, "EVENT", now, now),
        ),
        ("data_key (tenant_id, generation, wrapped, wrapped_by, created_at)", (tenant, 1, b"x", b"x", now)),
        (
            "connection (id, tenant_id, name, type, created_at, updated_at)",
            (connection, tenant, "c", "custom", now, now),
        ),
        (
            "connection_secret (connection_id, name, tenant_id, generation, sealed, created_at)",
            (connection, "s", tenant, 1, b"x", now),
        ),
        (
            "execution (id, tenant_id, workflow_id, version_id, created_at, trigger_type)",
            (execution, tenant, workflow, version, now, "API"),
        ),
        (
            "execution_event (execution_id, seq, tenant_id, epoch, kind, payload, at)",
            (execution, 1, tenant, 0, "EXECUTION_STARTED", "{}", now),
        ),
        ("execution_state (execution_id, tenant_id, seq, state)", (execution, tenant, 1, "{}")),
        (
            "execution_inbox (execution_id, tenant_id, kind, key, payload, created_at)",
            (execution, tenant, "signal", "k", "{}", now),
        ),
        (
            "execution_key (tenant_id, workflow_id, key, execution_id, request_hash, expires_at)",
            (tenant, workflow, "k", execution, b"x", later),
        ),
        (
            "file (id, tenant_id, name, media_type, size, sha256, storage_key, created_at)",
            (execution, tenant, "a.txt", "text/plain", 1, bytes(32), execution.hex, now),
        ),
        ("file_leftover (storage_key, tenant_id, due_at)", (execution.hex, tenant, later)),
        ("file_usage (tenant_id, bytes)", (tenant, 1)),
        ("wake_up (execution_id, path, tenant_id, due_at)", (execution, "p", tenant, later)),
        (
            "task (id, tenant_id, execution_id, path, kind, title, created_at, updated_at)",
            (task, tenant, execution, "p", "approval", "t", now, now),
        ),
        (
            "task_entry (id, tenant_id, task_id, kind, created_at)",
            (uuid.uuid7(), tenant, task, "COMMENTED", now),
        ),
        ("stream (id, tenant_id, name, head, created_at)", (workflow, tenant, "s", 1, now)),
        (
            "stream_message (stream_id, seq, tenant_id, payload, published_at, published_by, idempotency_key)",
            (workflow, 1, tenant, "{}", now, "execution_1", "k"),
        ),
        (
            "environment (tenant_id, name, position, variables, connections, created_at, updated_at, updated_by)",
            (tenant, "staging", 1, "{}", "{}", now, now, "user_1"),
        ),
        (
            "workflow_environment (workflow_id, environment, tenant_id, version_id, active_since, activated_by)",
            (workflow, "staging", tenant, version, now, "user_1"),
        ),
        (
            "promotion (id, tenant_id, workflow_id, target, version_id, promoted_at, promoted_by)",
            (uuid.uuid7(), tenant, workflow, "staging", version, now, "user_1"),
        ),
        (
            "workflow_split (id, tenant_id, workflow_id, environment, baseline_id, candidate_id, percent, started_at,"
            " started_by)",
            (uuid.uuid7(), tenant, workflow, "staging", version, other, 10, now, "user_1"),
        ),
        (
            "workflow_branch (id, tenant_id, workflow_id, name, base, definition, created_at, created_by, updated_at,"
            " updated_by)",
            (uuid.uuid7(), tenant, workflow, "b", "{}", "{}", now, "user_1", now, "user_1"),
        ),
        (
            "publish_rule (id, tenant_id, workflow_id, needs_approval, changed_at, changed_by)",
            (uuid.uuid7(), tenant, workflow, True, now, "user_1"),
        ),
        (
            "publish_request (id, tenant_id, workflow_id, candidate_id, content_hash, note, authors, requested_at,"
            " requested_by)",
            (uuid.uuid7(), tenant, workflow, version, b"x", "", ["user_1"], now, "user_1"),
        ),
        (
            "test_case (id, tenant_id, workflow_id, name, variables, trial, timeout,"
            " created_at, created_by, updated_at, updated_by)",
            (uuid.uuid7(), tenant, workflow, "c", "{}", "{}", 1.0, now, "user_1", now, "user_1"),
        ),
        (
            "load_run (id, tenant_id, workflow_id, version_id, count, concurrency, begins_with, draft, created_at,"
            " created_by, finished_at)",
            (uuid.uuid7(), tenant, workflow, version, 1, 1, "{}", True, now, "user_1", now),
        ),
        ("workflow_limit (workflow_id, tenant_id, max_concurrent, changed_at)", (workflow, tenant, 1, now)),
        ("tenant_limit (tenant_id, max_concurrent, changed_at)", (tenant, 1, now)),
        ("tenant_quota (tenant_id, name, maximum, changed_at)", (tenant, "STREAMS", 9, now)),
        ("quota_use (tenant_id, name, begins, used)", (tenant, "EXECUTIONS_PER_DAY", now, 1)),
        ("lock_request (execution_id, path, name, tenant_id, seats)", (execution, "p", "n", tenant, 1)),
        (
            "dead_letter_dismissal (execution_id, tenant_id, dismissed_at, dismissed_by)",
            (execution, tenant, now, "user_1"),
        ),
        (
            "audit_entry (tenant_id, seq, at, actor_kind, action, ids, outcome, request_id, hash)",
            (tenant, 1, now, "user", "workflow.create", [], "DONE", "r", b"x"),
        ),
        ("audit_checkpoint (tenant_id, seq, hash, at, signature)", (tenant, 1, b"x", now, b"x")),
    ]
    for target, values in rows:
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await pool.execute(f"INSERT INTO {target} VALUES ({places})", *values)
    return tenant


async def test_every_table_forces_row_level_security_on_its_owner_too(engine_pool: EnginePool) -> None:
    rows = await engine_pool.fetch(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )

    unforced = [row["relname"] for row in rows if not row["forced"]]
    assert unforced == [RECORD]
    assert len(rows) > len(GRANTS) + 1  # partitions were looked at too


async def test_the_roles_have_exactly_these_grants_and_none_on_partitions(engine_pool: EnginePool) -> None:
    rows = await engine_pool.fetch(
        "SELECT relname, r.rolname, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS privileges"
        " FROM pg_class, aclexplode(relacl) AS a JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE relnamespace = 'public'::regnamespace AND a.grantee <> relowner GROUP BY 1, 2"
    )
    granted = {(row["relname"], row["rolname"]): row["privileges"] for row in rows}

    assert granted == {
        (table, role): privileges
        for table, both in GRANTS.items()
        for role, privileges in zip(("weir_app", "weir_engine"), both, strict=True)
        if privileges
    }
    assert sorted(GRANTS) == sorted(getattr(models, name).describe()["table"] for name in models.__all__)


@pytest.mark.parametrize(
    "table", sorted(name for name in GRANTS if name not in ("tenant", "account", "worker", "failed_attempt"))
)
async def test_each_table_is_populated_for_both_tenants(
    table: str, engine_pool: EnginePool, populated: Mapping[str, TenantId]
) -> None:
    rows = 2 if table == "workflow_version" else 1
    for tenant in populated.values():
        assert await engine_pool.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant) == rows


@pytest.mark.parametrize("table", tables("SELECT"))
async def test_a_tenant_reads_its_own_rows_only(
    table: str, second: Connection, populated: Mapping[str, TenantId]
) -> None:
    rows = await second.fetch(f"SELECT DISTINCT tenant_id FROM {table}")

    assert [row["tenant_id"] for row in rows] == [populated["second"]]


@pytest.mark.parametrize("table", tables("INSERT"))
async def test_a_tenant_cannot_insert_for_another(
    table: str, engine_pool: EnginePool, second: Connection, populated: Mapping[str, TenantId]
) -> None:
    theirs = await engine_pool.fetchval(
        f"SELECT to_json(t)::text FROM {table} t WHERE tenant_id = $1", populated["first"]
    )

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await second.execute(
            f"INSERT INTO {table} SELECT * FROM json_populate_record(NULL::public.{table}, $1)", theirs
        )


@pytest.mark.parametrize("table", tables("UPDATE"))
async def test_a_tenant_can_neither_change_the_rows_of_another_nor_give_its_own_away(
    table: str, second: Connection, populated: Mapping[str, TenantId]
) -> None:
    first = populated["first"]

    assert await second.execute(f"UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = $1", first) == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await second.execute(f"UPDATE {table} SET tenant_id = $1", first)


@pytest.mark.parametrize("table", tables("DELETE"))
async def test_a_tenant_cannot_delete_the_rows_of_another(
    table: str, second: Connection, populated: Mapping[str, TenantId]
) -> None:
    assert await second.execute(f"DELETE FROM {table} WHERE tenant_id = $1", populated["first"]) == "DELETE 0"


async def test_a_tenant_sees_of_the_tenants_itself(second: Connection, populated: Mapping[str, TenantId]) -> None:
    assert [row["id"] for row in await second.fetch("SELECT id FROM tenant")] == [populated["second"]]


async def test_an_account_shows_to_tenants_where_it_is_a_member_and_its_password_hash_to_none(
    second: Connection, engine_pool: EnginePool, populated: Mapping[str, TenantId]
) -> None:
    members = await engine_pool.fetch("SELECT account_id FROM membership WHERE tenant_id = $1", populated["second"])

    assert [row["id"] for row in await second.fetch("SELECT id FROM account")] == [members[0]["account_id"]]
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for table account"):
        await second.fetch("SELECT password_hash FROM account")


async def test_a_connection_that_forgot_its_role_sees_nothing(database: str, populated: Mapping[str, TenantId]) -> None:
    settings = {"weir.tenant": str(populated["first"])}
    connection: Connection = await asyncpg.connect(database, server_settings=settings)
    try:
        for table in GRANTS:  # the login owns the tables
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("tenant", [None, ""])
async def test_without_a_tenant_the_application_sees_nothing(
    tenant: str | None, database: str, populated: Mapping[str, TenantId]
) -> None:
    settings = {"role": APP_ROLE} | ({} if tenant is None else {"weir.tenant": tenant})
    connection: Connection = await asyncpg.connect(database, server_settings=settings)
    try:
        for table in tables("SELECT"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


async def test_resetting_the_role_does_not_lead_out_of_it(second: Connection) -> None:
    await second.execute("RESET ROLE")
    assert await second.fetchval("SELECT current_user") == APP_ROLE

    await second.execute("RESET ALL")
    assert await second.fetchval("SELECT current_user") == APP_ROLE


async def test_a_partition_read_directly_shows_nothing_to_anybody(
    second: Connection, engine_pool: EnginePool, populated: Mapping[str, TenantId]
) -> None:
    names = await engine_pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'"
    )
    assert len(names) >= 8
    for row in names:
        for connection in (second, engine_pool):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {row['name']}")


@pytest.mark.usefixtures("app_db")
async def test_models_follow_the_tenant_of_the_scope_and_refuse_to_work_outside_one(
    populated: Mapping[str, TenantId],
) -> None:
    for tenant in populated.values():
        with tenant_scope(tenant):
            assert await models.Workflow.all().values_list("tenant_id", flat=True) == [tenant]
    with pytest.raises(NoTenant):
        await models.Workflow.all()


async def test_a_published_version_never_changes_not_even_by_its_owner(
    database: str, engine_pool: EnginePool, populated: Mapping[str, TenantId]
) -> None:
    change = "UPDATE workflow_version SET note = 'changed'"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await engine_pool.execute(change)

    owner: Connection = await asyncpg.connect(database)
    transaction = owner.transaction()
    await transaction.start()
    try:
        await owner.execute("ALTER TABLE workflow_version NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(asyncpg.RestrictViolationError, match="never changes"):
            await owner.execute(change)
    finally:
        await transaction.rollback()
        await owner.close()
