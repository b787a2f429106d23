"""Streams: named sequences of messages that a tenant keeps, and the ports that write and read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.ids import StreamId
from domain.json import JSON
from domain.paging import Page, Place, Slice
from domain.storable import checked, checked_text

MAX_NAME = 200
MAX_KEY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """`head`: the number of its latest message, 0 when there was none."""

    id: StreamId
    name: str
    head: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMessage:
    """`seq` counts from 1 without gaps, in the order in which messages became durable.

    `key` tells what the message is about; those with one key are in their order for whoever reads them in parallel.
    """

    stream_id: StreamId
    seq: int
    payload: JSON
    key: str | None
    published_at: datetime
    published_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """`idempotency_key`: a message under the same key of the same stream is the same message."""

    stream: str
    payload: JSON
    key: str | None = None
    published_by: str
    idempotency_key: str


def check_message(message: NewMessage) -> None:
    """Raises Invalid for a name or key that nothing stored can have, TooLarge for too big a payload."""
    checked_text(message.stream, "stream", least=1, most=MAX_NAME)
    if message.key is not None:
        checked_text(message.key, "key", most=MAX_KEY)
    checked(message.payload, "message")


class StreamDesk(Protocol):
    """One tenant's streams, as a step sees them. Waits for the database when that is away."""

    async def publish(self, message: NewMessage) -> int:
        """The message's number; it is durable. The stream begins with its first message."""
        ...


class StreamReader(Protocol):
    """One tenant's streams, as people look at them."""

    async def by_ids(self, ids: Sequence[StreamId]) -> Sequence[Stream]:
        """Those that exist, in any order."""
        ...

    async def by_name(self, name: str) -> Stream | None: ...

    async def page(self, page: Page) -> Slice[Stream]:
        """By name."""
        ...

    async def messages(self, stream_id: StreamId, page: Page) -> Slice[StreamMessage]:
        """In their order; `Place.value` is the number."""
        ...


def place(stream: Stream) -> Place:
    return Place(id=stream.id, value=stream.name)


def message_place(message: StreamMessage) -> Place:
    return Place(id=message.stream_id, value=message.seq)
