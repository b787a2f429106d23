"""Changes when the process connects to PostgreSQL in another way.

Two ways in. What serves requests goes through Tortoise as the role `weir_app` and sees one tenant: the one of
`tenant_scope`. The engine (journal, claims, sweeper, sign-in) uses a raw pool as `weir_engine` and sees all of them.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import asyncpg
from tortoise.context import TortoiseContext

from domain.ids import TenantId

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

APP_ROLE = "weir_app"
ENGINE_ROLE = "weir_engine"

EnginePool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

APPS: dict[str, dict[str, Any]] = {
    "weir": {"models": ["db.models"], "migrations": "db.migrations", "default_connection": "default"}
}

current_tenant: ContextVar[TenantId | None] = ContextVar("current_tenant", default=None)


class NoTenant(Exception):
    """A query of the application was about to run outside every `tenant_scope`."""


@contextmanager
def tenant_scope(tenant_id: TenantId) -> Generator[None]:
    """Within it, queries of the application see this tenant; tasks started within inherit it."""
    token = current_tenant.set(tenant_id)
    try:
        yield
    finally:
        current_tenant.reset(token)


def require_tenant() -> UUID:
    """The tenant of the scope; raises NoTenant."""
    tenant_id = current_tenant.get()
    if tenant_id is None:
        raise NoTenant("Use `with tenant_scope(tenant_id):` around what asks the database")
    return tenant_id


def tortoise_config(dsn: str, *, size: int, role: str | None) -> dict[str, Any]:
    """What `TortoiseContext.init` takes; `role` None connects as the login itself, for migrations."""
    credentials = {"dsn": dsn, "role": role, "minsize": 1, "maxsize": size}
    connection = {"engine": "db.tortoise_backend", "credentials": credentials}
    return {"connections": {"default": connection}, "apps": APPS}


@asynccontextmanager
async def app_database(dsn: str, *, size: int = 10) -> AsyncGenerator[None]:
    """Models and `db.statements` reach the database, as the application role, in every task of the process.

    One at a time per process. Up to `size` connections, the first opened now so that a wrong DSN fails here.
    """
    context = TortoiseContext()
    with context:  # only while it is set up: from then on it is the process's, whatever the task
        await context.init(config=tortoise_config(dsn, size=size, role=APP_ROLE), _enable_global_fallback=True)
    try:
        await context.connections.get("default").create_connection(with_db=True)
        yield
    finally:
        await context.close_connections()


async def engine_pool(dsn: str, size: int = 10) -> EnginePool:
    """A pool of up to `size` connections as the engine role, every tenant visible; the caller closes it."""
    return await asyncpg.create_pool(dsn, min_size=1, max_size=size, server_settings={"role": ENGINE_ROLE}, reset=leave)


async def leave(connection: Connection) -> None:
    """What a pool does to a connection given back: nothing, which saves a round trip.

    Permitted because nobody leaves anything behind in a session but the tenant, which every checkout of the
    application's pool overwrites. asyncpg itself ends a transaction that was left open.
    """
