"""What callers may do with connections: authorise, call the use case, give back its value."""

from collections.abc import Sequence

from domain import connections_edit
from domain.access import Permission
from domain.connection_types import TYPES, ConnectionType
from domain.connections import ConnectionFilter, SavedConnection, Tried
from domain.connections_edit import ConnectionChange, NewConnection
from domain.ids import ConnectionId
from domain.json import JSONObject
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, connection_id: ConnectionId) -> SavedConnection | None:
    return await allowed(context, Permission.CONNECTION_READ).loaders.connection.load(connection_id)


async def by_name(context: RequestContext, name: str) -> SavedConnection | None:
    return await allowed(context, Permission.CONNECTION_READ).stores.connections.by_name(name)


async def page(context: RequestContext, chosen: ConnectionFilter, page: Page) -> Slice[SavedConnection]:
    return await allowed(context, Permission.CONNECTION_READ).stores.connections.page(chosen, page)


async def count(context: RequestContext, chosen: ConnectionFilter) -> int:
    return await allowed(context, Permission.CONNECTION_READ).stores.connections.count(chosen)


def types(context: RequestContext) -> Sequence[ConnectionType]:
    allowed(context, Permission.CONNECTION_READ)
    return list(TYPES.values())


def settings(context: RequestContext, connection: SavedConnection) -> JSONObject | None:
    """None for those who may not change it: where a service is, and as whom one signs in, is not theirs to know."""
    return connection.settings if Permission.CONNECTION_WRITE in context.principal.permissions else None


async def create(context: RequestContext, new: NewConnection) -> SavedConnection:
    given = allowed(context, Permission.CONNECTION_WRITE)
    return await connections_edit.create(
        new,
        by=given.principal,
        writer=given.stores.connection_writer,
        ids=given.services.ids,
        now=given.now,
    )


async def update(
    context: RequestContext, connection_id: ConnectionId, change: ConnectionChange, expected_revision: int | None
) -> SavedConnection:
    given = allowed(context, Permission.CONNECTION_WRITE)
    return await connections_edit.update(
        connection_id,
        change,
        expected_revision,
        by=given.principal,
        reader=given.stores.connections,
        writer=given.stores.connection_writer,
        now=given.now,
    )


async def delete(context: RequestContext, connection_id: ConnectionId) -> SavedConnection:
    given = allowed(context, Permission.CONNECTION_WRITE)
    return await connections_edit.delete(
        connection_id,
        by=given.principal,
        reader=given.stores.connections,
        writer=given.stores.connection_writer,
        now=given.now,
    )


async def test(context: RequestContext, connection_id: ConnectionId) -> Tried:
    given = allowed(context, Permission.CONNECTION_WRITE)
    return await connections_edit.test(
        connection_id,
        reader=given.stores.connections,
        connections=given.services.connections(given.principal.tenant_id),
        tester=given.services.connection_tester,
    )
