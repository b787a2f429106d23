"""Changes when messages of streams are written or read in another way."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from db import keyset
from db.json_text import dump
from db.models import Stream as StreamRow
from db.outages import told_as_connection_error
from db.quotas import quotas_told
from db.statements import Row, fetch
from domain.ids import StreamId, TenantId
from domain.paging import Direction, Page, Slice, cut
from domain.sources import Clock, Ids
from domain.streams import NewMessage, Stream, StreamMessage

if TYPE_CHECKING:
    from db.connections import EnginePool

log = logging.getLogger("weir.streams")

_PAUSE = 0.5
_ENSURE = """
INSERT INTO stream (id, tenant_id, name, head, created_at) VALUES ($1, $2, $3, 0, $4)
ON CONFLICT (tenant_id, name) DO NOTHING
"""
_SAME = """
SELECT m.seq FROM stream AS s JOIN stream_message AS m ON m.stream_id = s.id
WHERE s.tenant_id = $1 AND s.name = $2 AND m.idempotency_key = $3
"""
# The row's lock gives messages their order, and the same message twice its turn.
_NEXT = "UPDATE stream SET head = head + 1 WHERE tenant_id = $1 AND name = $2 RETURNING id, head"
_WRITE = """
INSERT INTO stream_message (stream_id, seq, tenant_id, key, payload, published_at, published_by, idempotency_key)
VALUES ($1, $2, $3, $4, $5::json, $6, $7, $8)
"""
_LOCK = "SELECT FROM stream WHERE tenant_id = $1 AND name = $2 FOR UPDATE"
_MESSAGES = """
SELECT stream_id, seq, key, payload::text AS payload, published_at, published_by FROM stream_message
WHERE tenant_id = $1 AND stream_id = $2 AND ($3::bigint IS NULL OR seq > $3) AND ($4::bigint IS NULL OR seq < $4)
"""


class PostgresStreamDesk:
    """`domain.streams.StreamDesk` for one tenant."""

    def __init__(self, pool: "EnginePool", tenant_id: TenantId, *, ids: Ids, clock: Clock) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self._ids = ids
        self._clock = clock

    async def publish(self, message: NewMessage) -> int:
        while True:
            try:
                return await self._publish(message)
            except ConnectionError as error:
                log.warning("a message waits for the database: %s", error)
            await asyncio.sleep(_PAUSE)

    async def _publish(self, message: NewMessage) -> int:
        name, now = message.stream, self._clock()
        with told_as_connection_error(), quotas_told(now):
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_ENSURE, self._ids(), self._tenant_id, name, now)
                await connection.execute(_LOCK, self._tenant_id, name)
                same = await connection.fetchval(_SAME, self._tenant_id, name, message.idempotency_key)
                if same is not None:
                    return same
                stream = await connection.fetchrow(_NEXT, self._tenant_id, name)
                if stream is None:
                    raise LookupError(f"the stream {name!r} is gone")
                await connection.execute(
                    _WRITE,
                    stream["id"],
                    stream["head"],
                    self._tenant_id,
                    message.key,
                    dump(message.payload),
                    now,
                    message.published_by,
                    message.idempotency_key,
                )
                return stream["head"]


class Streams:
    """Implements `domain.streams.StreamReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[StreamId]) -> Sequence[Stream]:
        return [_stream(row) for row in await StreamRow.filter(tenant_id=self._tenant_id, id__in=list(ids)).values()]

    async def by_name(self, name: str) -> Stream | None:
        rows = await StreamRow.filter(tenant_id=self._tenant_id, name=name).values()
        return _stream(rows[0]) if rows else None

    async def page(self, page: Page) -> Slice[Stream]:
        rows = (
            await StreamRow.filter(keyset.between(page, Direction.ASC, "name"), tenant_id=self._tenant_id)
            .order_by(*keyset.order(page, Direction.ASC, "name", "id"))
            .limit(page.limit + 1)
            .values()
        )
        return cut([_stream(row) for row in rows], page)

    async def messages(self, stream_id: StreamId, page: Page) -> Slice[StreamMessage]:
        after, before = (place.value if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.ASC) else "DESC"
        order = f" ORDER BY seq {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_MESSAGES + order, self._tenant_id, stream_id, after, before)
        return cut([_message(row) for row in rows], page)


def _stream(row: Any) -> Stream:
    return Stream(id=StreamId(row["id"]), name=row["name"], head=row["head"], created_at=row["created_at"])


def _message(row: Row) -> StreamMessage:
    return StreamMessage(
        stream_id=StreamId(row["stream_id"]),
        seq=row["seq"],
        payload=orjson.loads(row["payload"]),
        key=row["key"],
        published_at=row["published_at"],
        published_by=row["published_by"],
    )
