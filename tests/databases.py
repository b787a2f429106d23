"""Databases and tenants made for tests: changes when what a test's database looks like from outside changes."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import uuid_utils.compat as uuid

from db import roles
from db.connections import Connection, EnginePool
from domain.ids import TenantId


@asynccontextmanager
async def new_database(server_url: str) -> AsyncGenerator[str]:
    """The DSN of an empty database, whose owner is an ordinary login that may become the roles; dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    admin: Connection = await asyncpg.connect(server_url)
    try:
        await roles.ensure(admin)
        await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        await admin.execute(f"GRANT {', '.join(roles.ROLES)} TO {name} WITH INHERIT FALSE, SET TRUE")
        await admin.execute(f"CREATE DATABASE {name} OWNER {name} STRATEGY wal_log")
        yield with_login(server_url, name, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.execute(f"DROP ROLE {name}")
    finally:
        await admin.close()


def with_login(server_url: str, login: str, database: str) -> str:
    """The same server, another login (its password is its name) and another database."""
    parts = urlsplit(server_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{login}:{login}@{place}", path=f"/{database}"))


async def make_tenant(pool: EnginePool) -> TenantId:
    """A new tenant, stored; its slug is its id."""
    tenant_id = TenantId(uuid.uuid7())
    await pool.execute(
        "INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, $2, $3)",
        tenant_id,
        tenant_id.hex,
        datetime.now(UTC),
    )
    return tenant_id
