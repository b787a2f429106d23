"""Connections, as the API shows and finds them; what is in their secrets it never shows."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import strawberry

from domain import connections as domain_connections
from domain.connection_types import ConnectionType
from domain.connections import ConnectionFilter, SavedConnection
from domain.errors import Invalid
from domain.ids import ConnectionId, decode
from domain.storable import checked_text
from resolvers import connections
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON

MAX_TEXT = 1_000
MAX_TYPE = 40
MAX_TYPES = 100


@strawberry.type(name="Connection", description="What workflows need to talk to a service. Nodes name it.")
class ConnectionNode(Node):
    name: str
    type: str = strawberry.field(description="A name of connectionTypes.")
    secrets_set: list[str] = strawberry.field(description="The secrets that are set, by name; none is ever shown.")
    revision: int = strawberry.field(description="Counts changes; send it as expectedRevision.")
    created_at: datetime
    updated_at: datetime

    @strawberry.field(description="As connectionTypes describes them; null without the permission connection:write.")
    @staticmethod
    def settings(root: strawberry.Parent[SavedConnection], info: Info) -> JSON | None:
        return connections.settings(info.context, root)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, SavedConnection)


@strawberry.type(description="A secret that connections of a type have.")
class ConnectionSecret:
    name: str
    description: str


@strawberry.type(name="ConnectionType", description="A kind of service: what a connection to it is made of.")
class ConnectionTypeType:
    name: str
    title: str
    description: str
    documentation: str = strawberry.field(description="Markdown.")
    settings_schema: JSON = strawberry.field(description="JSON Schema of the settings.")

    @strawberry.field(description="Its secrets; empty for a type that takes any.")
    @staticmethod
    def secrets(root: strawberry.Parent[ConnectionType]) -> list[ConnectionSecret]:
        return [ConnectionSecret(name=name, description=text) for name, text in root.secrets.items()]


@strawberry.input(name="ConnectionFilter", description="Every part given must hold.")
class ConnectionFilterInput:
    search: str | None = strawberry.field(default=None, description="In the name.")
    types: list[str] | None = strawberry.field(default=None, description="One of them.")

    def chosen(self) -> ConnectionFilter:
        """Raises Invalid for texts that nothing stored can hold."""
        checked_text(self.search or "", "filter", "search", most=MAX_TEXT)
        types = tuple(self.types or ())
        if len(types) > MAX_TYPES:
            raise Invalid(f"At most {MAX_TYPES} types are taken", path=("filter", "types"))
        for each in types:
            checked_text(each, "filter", "types", most=MAX_TYPE)
        return ConnectionFilter(search=self.search or None, types=types)


@strawberry.type
class ConnectionQuery:
    @strawberry.field(graphql_type=ConnectionNode | None, description="A connection by its id or its name.")
    async def connection(
        self, info: Info, id: strawberry.ID | None = None, name: str | None = None
    ) -> SavedConnection | None:
        if (id is None) is (name is None):
            raise Invalid("Give an id or a name", path=("id",))
        if name is not None:
            checked_text(name, "name", most=MAX_TEXT)
            return await connections.by_name(info.context, name)
        return await connections.by_id(info.context, ConnectionId(decode("connection", str(id))))

    @strawberry.field(graphql_type=Connection[ConnectionNode], description="Ordered by name.")
    async def connections(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ConnectionFilterInput | None = None,
    ) -> Listed[SavedConnection]:
        chosen = filter.chosen() if filter else ConnectionFilter()
        cursors = Cursors(kind="connections", orders_by=str, scope=chosen)
        found = await connections.page(info.context, chosen, cursors.page(first, after, last, before))
        count = partial(connections.count, info.context, chosen)
        return cursors.listed(found, domain_connections.place, count)

    @strawberry.field(graphql_type=list[ConnectionTypeType], description="Every type a connection can have.")
    def connection_types(self, info: Info) -> Sequence[ConnectionType]:
        return connections.types(info.context)
