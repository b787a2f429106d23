"""Streams and their messages, as the API shows them."""

from datetime import datetime

import strawberry

from domain import streams as domain_streams
from domain.errors import Invalid
from domain.ids import StreamId, decode
from domain.storable import checked_text
from domain.streams import MAX_NAME, Stream, StreamMessage
from resolvers import streams
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON, BigInt


@strawberry.type(name="StreamMessage", description="One message; seq counts the stream's messages from 1.")
class StreamMessageType:
    key: str | None = strawberry.field(description="What it is about.")
    published_at: datetime
    published_by: str = strawberry.field(description="The id of the execution that published it.")

    @strawberry.field
    @staticmethod
    def seq(root: strawberry.Parent[StreamMessage]) -> BigInt:
        return BigInt(root.seq)

    @strawberry.field
    @staticmethod
    def payload(root: strawberry.Parent[StreamMessage]) -> JSON | None:
        return root.payload

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, StreamMessage)


@strawberry.type(name="Stream", description="A named sequence of messages; it begins with its first message.")
class StreamType(Node):
    name: str
    created_at: datetime

    @strawberry.field(description="The seq of its latest message.")
    @staticmethod
    def head(root: strawberry.Parent[Stream]) -> BigInt:
        return BigInt(root.head)

    @strawberry.field(graphql_type=Connection[StreamMessageType], description="In their order.")
    @staticmethod
    async def messages(
        root: strawberry.Parent[Stream],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Listed[StreamMessage]:
        cursors = Cursors(kind="messages", orders_by=int, scope=root.id)
        found = await streams.messages(info.context, root, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_streams.message_place)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Stream)


@strawberry.type
class StreamQuery:
    @strawberry.field(graphql_type=StreamType | None, description="A stream by its id or its name.")
    async def stream(self, info: Info, id: strawberry.ID | None = None, name: str | None = None) -> Stream | None:
        if (id is None) is (name is None):
            raise Invalid("Give an id or a name", path=("id",))
        if name is not None:
            checked_text(name, "name", most=MAX_NAME)
            return await streams.by_name(info.context, name)
        return await streams.by_id(info.context, StreamId(decode("stream", str(id))))

    @strawberry.field(graphql_type=Connection[StreamType], description="By name.")
    async def streams(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Listed[Stream]:
        cursors = Cursors(kind="streams", orders_by=str)
        found = await streams.page(info.context, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_streams.place)
