"""Changes when connections to services are stored or searched in another way (`db.connections` is about PostgreSQL).

Here secrets are sealed and never opened: the application's role may not read them. `db.service_connections_step` may.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from db import keyset
from db.data_keys import Keyring, latest, secret_place
from db.envelope import seal
from db.models import Connection as Row
from db.models import ConnectionSecret as SecretRow
from db.quotas import quotas_told
from db.statements import fetch
from db.violations import violated
from domain.connections import ConnectionFilter, ConnectionNameTaken, SavedConnection, StaleConnection
from domain.errors import NotFound
from domain.ids import ConnectionId, TenantId, encode
from domain.paging import Direction, Page, Slice, cut

_ERASE = "DELETE FROM connection_secret WHERE tenant_id = $1 AND connection_id = $2"
_ERASE_SOME = f"{_ERASE} AND name = ANY($3::text[])"
_SET = """
INSERT INTO connection_secret (connection_id, name, tenant_id, generation, sealed, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


class ServiceConnections:
    """Implements `domain.connections.ConnectionReader` and `ConnectionWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId, keyring: Keyring) -> None:
        self._tenant_id = tenant_id
        self._keyring = keyring
        self._here = Q(tenant_id=tenant_id, deleted_at__isnull=True)

    async def by_ids(self, ids: Sequence[ConnectionId]) -> Sequence[SavedConnection]:
        return await self._with_names(await Row.filter(self._here, id__in=list(ids)))

    async def by_name(self, name: str) -> SavedConnection | None:
        found = await self._with_names(await Row.filter(self._here, name=name))
        return found[0] if found else None

    async def page(self, chosen: ConnectionFilter, page: Page) -> Slice[SavedConnection]:
        rows = (
            await Row.filter(self._here, _chosen(chosen), keyset.between(page, Direction.ASC, "name"))
            .order_by(*keyset.order(page, Direction.ASC, "name", "id"))
            .limit(page.limit + 1)
        )
        return cut(await self._with_names(rows), page)

    async def count(self, chosen: ConnectionFilter) -> int:
        return await Row.filter(self._here, _chosen(chosen)).count()

    async def insert(self, connection: SavedConnection, secrets: Mapping[str, str]) -> None:
        try:
            with quotas_told(connection.created_at):
                async with in_transaction():
                    await Row.create(
                        id=connection.id,
                        tenant_id=self._tenant_id,
                        type=connection.type,
                        created_at=connection.created_at,
                        created_by=connection.created_by,
                        **_changeable(connection),
                    )
                    await self._set(connection.id, secrets, connection.created_at)
        except IntegrityError as error:
            raise _refusal(error, connection) from error

    async def save(
        self, connection: SavedConnection, secrets: Mapping[str, str | None], *, expected_revision: int
    ) -> None:
        try:
            async with in_transaction():
                # Writes come one after the other: whoever changes the row holds it until the secrets are done too.
                here = Row.filter(self._here, id=connection.id, revision=expected_revision)
                if not await here.update(**_changeable(connection)):
                    raise await self._why_not(connection.id)
                if connection.deleted_at is not None:
                    await fetch(_ERASE, self._tenant_id, connection.id)
                    return
                await fetch(_ERASE_SOME, self._tenant_id, connection.id, list(secrets))
                given = {name: text for name, text in secrets.items() if text is not None}
                await self._set(connection.id, given, connection.updated_at)
        except IntegrityError as error:
            raise _refusal(error, connection) from error

    async def _set(self, connection_id: ConnectionId, secrets: Mapping[str, str], now: datetime) -> None:
        if not secrets:
            return
        generation, key = await latest(self._tenant_id, self._keyring, now)
        for name, text in secrets.items():
            sealed = seal(key, text.encode(), secret_place(self._tenant_id, connection_id, name))
            await fetch(_SET, connection_id, name, self._tenant_id, generation, sealed, now)

    async def _with_names(self, rows: Sequence[Row]) -> list[SavedConnection]:
        """The connections of these rows with the names of their secrets."""
        names: dict[ConnectionId, list[str]] = defaultdict(list)
        ids = [row.id for row in rows]
        kept = SecretRow.filter(tenant_id=self._tenant_id, connection_id__in=ids).order_by("name")
        for secret in await kept.values("connection_id", "name") if ids else ():
            names[secret["connection_id"]].append(secret["name"])
        return [_connection(row, tuple(names[ConnectionId(row.id)])) for row in rows]

    async def _why_not(self, connection_id: ConnectionId) -> NotFound | StaleConnection:
        row = await Row.get_or_none(self._here, id=connection_id).only("id", "revision")
        return StaleConnection(row.revision) if row else NotFound("connection", encode("connection", connection_id))


def _chosen(chosen: ConnectionFilter) -> Q:
    condition = Q()
    if chosen.search:
        condition &= Q(name__icontains=chosen.search)
    if chosen.types:
        condition &= Q(type__in=list(chosen.types))
    return condition


def _changeable(connection: SavedConnection) -> Mapping[str, Any]:
    return {
        "name": connection.name,
        "settings": connection.settings,
        "revision": connection.revision,
        "updated_at": connection.updated_at,
        "updated_by": connection.updated_by,
        "deleted_at": connection.deleted_at,
    }


def _refusal(error: IntegrityError, connection: SavedConnection) -> Exception:
    return ConnectionNameTaken(connection.name) if violated(error) == "connection_name_key" else error


def _connection(row: Row, secrets_set: tuple[str, ...]) -> SavedConnection:
    return SavedConnection(
        id=ConnectionId(row.id),
        name=row.name,
        type=row.type,
        settings=row.settings,
        secrets_set=secrets_set,
        revision=row.revision,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        deleted_at=row.deleted_at,
    )
