"""What callers may do with streams: authorise, ask, give back its value."""

from domain.access import Permission
from domain.ids import StreamId
from domain.paging import Page, Slice
from domain.streams import Stream, StreamMessage
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, stream_id: StreamId) -> Stream | None:
    found = await allowed(context, Permission.STREAM_READ).stores.streams.by_ids([stream_id])
    return found[0] if found else None


async def by_name(context: RequestContext, name: str) -> Stream | None:
    return await allowed(context, Permission.STREAM_READ).stores.streams.by_name(name)


async def page(context: RequestContext, page: Page) -> Slice[Stream]:
    return await allowed(context, Permission.STREAM_READ).stores.streams.page(page)


async def messages(context: RequestContext, stream: Stream, page: Page) -> Slice[StreamMessage]:
    return await allowed(context, Permission.STREAM_READ).stores.streams.messages(stream.id, page)
