"""Migrations lead forward and back, agree with the models, and bear two processes at once."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import asyncpg
import pytest

from app.stack import Stack
from db import models
from db.connections import Connection
from db.migrate import UnknownMigration, downgrade, drift, migrate, pending
from db.roles import RolesMissing
from tests.databases import new_database, with_login

ALL = [
    "0001_tenancy",
    "0002_workflows",
    "0003_executions",
    "0004_connections",
    "0005_files",
    "0006_tasks",
    "0007_limits",
    "0008_branches",
    "0009_environments",
    "0010_test_mode",
    "0011_streams",
    "0012_parents",
    "0013_signatures",
    "0014_unlimited",
    "0015_quotas",
    "0016_api_keys",
    "0017_audit",
    "0018_accounts",
    "0019_claimable",
]
OBJECTS = """
    SELECT relkind::text || ' ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relname !~ '^(tortoise_migrations|uid_tortoise)'
    UNION ALL SELECT 'f ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'p ' || polrelid::regclass || ' ' || polname || ' ' || polroles::regrole[]::text
        || pg_get_expr(polqual, polrelid) FROM pg_policy
    UNION ALL SELECT 'c ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname !~ 'tortoise_mi'
    UNION ALL SELECT 'a ' || relname || ' ' || relacl::text || relrowsecurity || relforcerowsecurity FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'tortoise_migrations'
"""

SIGNED_IN = """
    SET ROLE weir_engine;
    INSERT INTO tenant (id, slug, name, created_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'Acme', now());
    INSERT INTO account (id, email, name, password_hash, created_at)
    VALUES ('00000000-0000-0000-0000-000000000002', 'ada@example.com', 'Ada', 'x', now());
    INSERT INTO refresh_token
        (id, tenant_id, account_id, family, secret_hash, created_at, expires_at, used_at, revoked_at)
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',
        family::uuid, 'x', now(), now() + interval '1 day', used_at, revoked_at
    FROM (VALUES
        ('00000000-0000-0000-0000-000000000003', now(), NULL::timestamptz),
        ('00000000-0000-0000-0000-000000000003', NULL, NULL),
        ('00000000-0000-0000-0000-000000000004', now(), now())) AS token (family, used_at, revoked_at);
    RESET ROLE
"""
"""A sign-in that was refreshed once, and one that is over."""


@pytest.fixture
async def empty(stack: Stack) -> AsyncGenerator[str]:
    async with new_database(stack.database_url) as dsn:
        yield dsn


async def objects(dsn: str) -> list[str]:
    connection: Connection = await asyncpg.connect(dsn)
    try:
        return sorted(row[0] for row in await connection.fetch(OBJECTS) if row[0])
    finally:
        await connection.close()


async def test_migrations_lead_forward_to_the_newest_back_to_nothing_and_forward_again(empty: str) -> None:
    assert await pending(empty) == ALL
    assert await migrate(empty) == ALL
    assert await pending(empty) == []
    first = await objects(empty)

    assert await downgrade(empty) == ALL[::-1]
    assert await objects(empty) == []

    assert await migrate(empty) == ALL
    assert await objects(empty) == first


async def test_each_migration_can_be_reached_and_left_alone(empty: str) -> None:
    reached: list[list[str]] = []
    for name in ALL:
        assert await migrate(empty, name) == [name]
        reached.append(await objects(empty))
    for name, before in zip(ALL[1::][::-1], reached[:-1][::-1], strict=True):
        assert await downgrade(empty, ALL[ALL.index(name) - 1]) == [name]
        assert await objects(empty) == before


async def test_who_is_signed_in_stays_so_when_sessions_get_a_table_of_their_own(empty: str) -> None:
    await migrate(empty, ALL[ALL.index("0018_accounts") - 1])
    connection: Connection = await asyncpg.connect(empty)
    try:
        await connection.execute(SIGNED_IN)
        await migrate(empty, "0018_accounts")
        await connection.execute("SET ROLE weir_engine")
        sessions = await connection.fetch("SELECT id::text, account_id::text, revoked_at IS NULL AS holds FROM session")
    finally:
        await connection.close()

    assert sorted(map(tuple, sessions)) == [
        ("00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000002", True),
        ("00000000-0000-0000-0000-000000000004", "00000000-0000-0000-0000-000000000002", False),
    ]


async def test_migrating_again_changes_nothing(empty: str) -> None:
    await migrate(empty)
    before = await objects(empty)

    assert await migrate(empty) == []
    assert await objects(empty) == before


async def test_processes_that_migrate_at_once_share_the_work_without_an_error(empty: str) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(4)))

    assert sorted(applied, key=len) == [[], [], [], ALL]
    assert await pending(empty) == []


async def test_an_unknown_target_is_refused_and_changes_nothing(empty: str) -> None:
    for run in (migrate, downgrade):
        with pytest.raises(UnknownMigration, match="There is no migration '9999_nowhere'"):
            await run(empty, "9999_nowhere")

    assert await objects(empty) == []


async def test_a_login_that_may_not_use_the_roles_is_told_what_to_run(stack: Stack, empty: str) -> None:
    admin: Connection = await asyncpg.connect(stack.database_url)
    await admin.execute("DROP ROLE IF EXISTS outsider; CREATE ROLE outsider LOGIN PASSWORD 'outsider'")
    try:
        with pytest.raises(RolesMissing, match="The database login outsider cannot use") as refused:
            await migrate(with_login(empty, "outsider", "postgres"))
        assert 'GRANT weir_app, weir_engine TO "outsider"' in str(refused.value.remedy)
    finally:
        await admin.execute("DROP ROLE outsider")
        await admin.close()


async def test_the_migrations_say_all_that_the_models_say() -> None:
    assert await drift() == []


COLUMNS = """
    SELECT a.attname, upper(format_type(a.atttypid, a.atttypmod)) AS type, NOT a.attnotnull AS nullable,
        d.adbin IS NOT NULL AS has_default
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
SQL_NAMES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "BOOL": "BOOLEAN", "INT": "INTEGER"}


@pytest.mark.parametrize("name", sorted(models.__all__))
async def test_each_table_has_exactly_the_columns_of_its_model(name: str, database: str) -> None:
    model: dict[str, Any] = getattr(models, name).describe()
    connection: Connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(COLUMNS, model["table"])
    finally:
        await connection.close()

    stored = [tuple(row.values()) for row in rows]
    assert stored == [column(field) for field in (model["pk_field"], *model["data_fields"])]


def column(field: Mapping[str, Any]) -> tuple[str, str, bool, bool]:
    types: dict[str, str] = field["db_field_types"]
    name = (types.get("postgres") or types[""]).replace("VARCHAR", "CHARACTER VARYING")
    return field["db_column"], SQL_NAMES.get(name, name), field["nullable"], field["db_default"] != "__NOT_SET__"
