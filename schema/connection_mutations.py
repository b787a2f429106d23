"""What the API can do to connections."""

from typing import Any

import strawberry

from domain.connections import SavedConnection, Tried
from domain.connections_edit import ConnectionChange, NewConnection
from domain.ids import ConnectionId, decode
from resolvers import connections
from schema.connections import ConnectionNode
from schema.errors import Answer, Payload, answer
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.scalars import JSON


@strawberry.input
class ConnectionCreateInput:
    name: str = strawberry.field(description="Nodes name the connection by it; unique in the tenant.")
    type: str = strawberry.field(description="A name of connectionTypes.")
    settings: JSON | None = strawberry.field(default=None, description="As the type's settingsSchema says.")
    secrets: JSON | None = strawberry.field(default=None, description="{name: text}; encrypted, never shown again.")


@strawberry.input(description="What is left out stays as it is.")
class ConnectionUpdateInput:
    name: str | None = None
    settings: JSON | None = strawberry.field(default=None, description="Replaces all of them.")
    secrets: JSON | None = strawberry.field(
        default=None, description="{name: text}; those not named are kept, null removes one."
    )


@strawberry.type
class ConnectionPayload(Payload):
    @strawberry.field(graphql_type=ConnectionNode | None)
    @staticmethod
    def connection(root: strawberry.Parent[Answer[Any]]) -> SavedConnection | None:
        return root.value


@strawberry.type
class ConnectionCreatePayload(ConnectionPayload):
    pass


@strawberry.type
class ConnectionUpdatePayload(ConnectionPayload):
    pass


@strawberry.type
class ConnectionDeletePayload(ConnectionPayload):
    pass


@strawberry.type(description="What came of trying a connection out.")
class ConnectionTest:
    ok: bool
    message: str = strawberry.field(description="What the service answered, in a sentence.")
    remedy: str | None
    duration_ms: float = strawberry.field(name="durationMs")


@strawberry.type
class ConnectionTestPayload(Payload):
    @strawberry.field(graphql_type=ConnectionTest | None)
    @staticmethod
    def result(root: strawberry.Parent[Answer[Tried]]) -> ConnectionTest | None:
        tested = root.value
        if tested is None:
            return None
        return ConnectionTest(ok=tested.ok, message=tested.message, remedy=tested.remedy, duration_ms=tested.ms)


@strawberry.type
class ConnectionMutation:
    @strawberry.mutation(graphql_type=ConnectionCreatePayload)
    async def connection_create(self, info: Info, input: ConnectionCreateInput) -> Answer[SavedConnection]:
        async def work() -> SavedConnection:
            new = NewConnection(
                name=input.name,
                type=input.type,
                settings=object_or_refuse(input.settings, "settings"),
                secrets=object_or_refuse(input.secrets, "secrets"),
            )
            return await connections.create(info.context, new)

        return await answer(work())

    @strawberry.mutation(graphql_type=ConnectionUpdatePayload, description="Steps that begin from now on use it.")
    async def connection_update(
        self, info: Info, id: strawberry.ID, input: ConnectionUpdateInput, expected_revision: int | None = None
    ) -> Answer[SavedConnection]:
        async def work() -> SavedConnection:
            change = ConnectionChange(
                name=input.name,
                settings=None if input.settings is None else object_or_refuse(input.settings, "settings"),
                secrets=object_or_refuse(input.secrets, "secrets"),
            )
            return await connections.update(info.context, _id(id), change, expected_revision)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=ConnectionDeletePayload, description="Erases its secrets and gives back what was deleted."
    )
    async def connection_delete(self, info: Info, id: strawberry.ID) -> Answer[SavedConnection]:
        async def work() -> SavedConnection:
            return await connections.delete(info.context, _id(id))

        return await answer(work())

    @strawberry.mutation(graphql_type=ConnectionTestPayload, description="Connects and signs in; changes nothing.")
    async def connection_test(self, info: Info, id: strawberry.ID) -> Answer[Tried]:
        async def work() -> Tried:
            return await connections.test(info.context, _id(id))

        return await answer(work())


def _id(text: strawberry.ID) -> ConnectionId:
    return ConnectionId(decode("connection", text))
