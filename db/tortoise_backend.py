"""Changes when Tortoise's PostgreSQL client must be opened in another way: by DSN, as a role, for a tenant.

Tortoise finds `client_class` in the module that a connection's `engine` names.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from db.connections import Connection, EnginePool, leave, require_tenant

_SET_TENANT = "SELECT set_config('weir.tenant', $1, false)"


async def _enter_tenant(connection: Connection) -> None:
    await connection.fetchval(_SET_TENANT, str(require_tenant()))


class WeirClient(AsyncpgDBClient):
    """Takes a whole `dsn`, since Tortoise's URLs know no Unix sockets; with a `role`, sets the tenant per checkout."""

    def __init__(self, *, dsn: str, role: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._dsn = dsn
        self._role = role

    async def create_pool(self, **options: Any) -> EnginePool:
        size = {"min_size": options["min_size"], "max_size": options["max_size"]}
        if self._role is None:
            return await asyncpg.create_pool(self._dsn, **size)
        return await asyncpg.create_pool(
            self._dsn, **size, server_settings={"role": self._role}, setup=_enter_tenant, reset=leave
        )


client_class = WeirClient
