"""Changes when steps get their connections in another way: the one place where their secrets are decrypted.

Nothing is kept between steps but unwrapped data keys, so a changed connection takes effect with the next step.
"""

import asyncpg
import orjson

from db.connections import EnginePool
from db.data_keys import KeyLost, Keyring, WrappedKey, secret_place
from db.envelope import CannotOpen, open_sealed
from db.outages import told_as_connection_error
from domain.connections import Connection
from domain.errors import InvalidId, NotFound
from domain.ids import ConnectionId, TenantId, decode

_PREFIX = "connection_"
_FIND = """
SELECT connection.id, connection.name, connection.type, connection.settings::text AS settings, connection.revision,
    secret.name AS secret, secret.sealed, secret.generation, key.wrapped, key.wrapped_by
FROM connection
LEFT JOIN connection_secret AS secret
    ON secret.tenant_id = connection.tenant_id AND secret.connection_id = connection.id
LEFT JOIN data_key AS key ON key.tenant_id = secret.tenant_id AND key.generation = secret.generation
WHERE connection.tenant_id = $1 AND connection.deleted_at IS NULL AND {which}
ORDER BY secret.name
"""
_BY_ID = _FIND.format(which="connection.id = $2")
_BY_NAME = _FIND.format(which="connection.name = $2")


class StepConnections:
    """Implements `domain.connections.Connections` for one tenant, over the engine's pool."""

    def __init__(self, tenant_id: TenantId, pool: EnginePool, keyring: Keyring) -> None:
        self._tenant_id = tenant_id
        self._pool = pool
        self._keyring = keyring

    async def get(self, name: str) -> Connection:
        rows = await self._rows(name)
        if not rows:
            raise NotFound("connection", name[:200], path=("connection",))
        first = rows[0]
        connection_id = ConnectionId(first["id"])
        return Connection(
            id=connection_id,
            name=first["name"],
            type=first["type"],
            settings=orjson.loads(first["settings"]),
            secrets={
                row["secret"]: await self._opened(connection_id, row) for row in rows if row["secret"] is not None
            },
            revision=first["revision"],
        )

    async def _rows(self, name: str) -> list[asyncpg.Record]:
        statement, value = _BY_NAME, name
        if name.startswith(_PREFIX):
            try:
                statement, value = _BY_ID, decode("connection", name)
            except InvalidId:
                return []
        if "\x00" in name:  # no name that PostgreSQL can hold
            return []
        with told_as_connection_error():
            return await self._pool.fetch(statement, self._tenant_id, value)

    async def _opened(self, connection_id: ConnectionId, row: asyncpg.Record) -> str:
        stored = WrappedKey(
            tenant_id=self._tenant_id,
            generation=row["generation"],
            wrapped=row["wrapped"],
            wrapped_by=row["wrapped_by"],
        )
        place = secret_place(self._tenant_id, connection_id, row["secret"])
        try:
            return open_sealed(await self._keyring.unwrap(stored), row["sealed"], place).decode()
        except CannotOpen as error:
            raise KeyLost(f"The secret {row['secret']} of the connection {row['name']!r}") from error
