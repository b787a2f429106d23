"""The listening side of live events: one Redis connection per process, fanned out to bounded followers.

Redis forgets what it could not deliver, so a follower is told `Lost` whenever something may be missing: after its
own queue overflowed, after the connection broke, and when the log is found ahead of what was heard.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import ExecutionId, TenantId
from domain.live import Events, LiveMessage, Lost
from jobs.event_codec import decode, execution_channel, tenant_channel

log = logging.getLogger("weir.live")

_MOST_QUEUED = 1_000
_MOST_BYTES = 1024 * 1024
"""As they came over the wire; what is decoded is a small multiple of it."""
_LOOK = 2.0
"""Seconds between looks at the logs of everything followed."""
_CONTROL = "weir:control"

Heads = Callable[[Sequence[ExecutionId]], Awaitable[Mapping[ExecutionId, int]]]
"""The highest seq in the log of each of these executions, in one query."""


class BoundedFollower:
    """One watcher's queue. When it overflows, what it holds is dropped and the watcher is told to re-read."""

    def __init__(self) -> None:
        self._messages: deque[tuple[LiveMessage, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()

    def put(self, message: LiveMessage, size: int) -> None:
        """`size`: the message's bytes on the wire."""
        full = len(self._messages) >= _MOST_QUEUED or self._bytes + size > _MOST_BYTES
        if full or isinstance(message, Lost):
            self._messages.clear()
            self._bytes = size = 0
            message = Lost()
        self._messages.append((message, size))
        self._bytes += size
        self._arrived.set()

    async def next(self) -> LiveMessage:
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        message, size = self._messages.popleft()
        self._bytes -= size
        return message


class _Topic:
    def __init__(self, execution: ExecutionId | None) -> None:
        self.execution = execution
        self.followers: set[BoundedFollower] = set()
        self.acknowledged = asyncio.Event()
        self.heard = 0

    def tell(self, message: LiveMessage, size: int = 0) -> None:
        if isinstance(message, Events):
            self.heard = max(self.heard, message.events[-1].seq)
        for follower in self.followers:
            follower.put(message, size)


class RedisLiveFeed:
    """Implements `domain.live.LiveFeed`; start() before use, close() at the end."""

    def __init__(self, redis: Redis, heads: Heads) -> None:
        self._redis = redis
        self._heads = heads
        self._topics: dict[str, _Topic] = {}
        self._pubsub: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.ensure_future(self._listening()), asyncio.ensure_future(self._looking())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def follow(self, tenant_id: TenantId, execution_id: ExecutionId) -> AsyncGenerator[BoundedFollower]:
        channel = execution_channel(tenant_id, execution_id)
        async with self._following(channel, execution_id) as follower:
            yield follower

    @asynccontextmanager
    async def follow_tenant(self, tenant_id: TenantId) -> AsyncGenerator[BoundedFollower]:
        async with self._following(tenant_channel(tenant_id), None) as follower:
            yield follower

    @asynccontextmanager
    async def _following(self, channel: str, execution: ExecutionId | None) -> AsyncGenerator[BoundedFollower]:
        new = channel not in self._topics
        topic = self._topics.setdefault(channel, _Topic(execution))
        follower = BoundedFollower()
        topic.followers.add(follower)
        try:
            if new:
                await self._tell_redis("subscribe", channel)
            await self._acknowledged(topic)
            yield follower
        finally:
            topic.followers.discard(follower)
            if not topic.followers and self._topics.get(channel) is topic:
                del self._topics[channel]
                await self._tell_redis("unsubscribe", channel)

    async def _acknowledged(self, topic: _Topic) -> None:
        """Without Redis the watcher goes on all the same: the slow look keeps it going."""
        try:
            async with asyncio.timeout(_LOOK):
                await topic.acknowledged.wait()
        except TimeoutError:
            log.warning("Redis has not acknowledged a subscription; reading the log instead")
            topic.acknowledged.set()  # when it does so at last, there was a gap

    async def _tell_redis(self, verb: str, channel: str) -> None:
        if self._pubsub is None:
            return  # the listener subscribes to every topic when it connects
        try:
            await getattr(self._pubsub, verb)(channel)
        except (RedisError, OSError) as error:
            log.info("%s %s failed: %s", verb, channel, error)

    async def _listening(self) -> None:
        while True:
            pubsub: Any = cast("Any", self._redis).pubsub()
            try:
                await pubsub.subscribe(_CONTROL)
                self._pubsub = pubsub  # from here on a new topic subscribes by itself
                if self._topics:
                    await pubsub.subscribe(*self._topics)
                async for message in pubsub.listen():
                    self._hear(message)
            except (RedisError, OSError) as error:
                log.warning("the live connection to Redis broke, connecting again: %s", error)
            finally:
                self._pubsub = None
                await pubsub.aclose()
            await asyncio.sleep(0.2)

    def _hear(self, message: Mapping[str, Any]) -> None:
        topic = self._topics.get(message["channel"].decode())
        if topic is None:
            return
        if message["type"] == "subscribe":
            if topic.acknowledged.is_set():
                topic.tell(Lost())  # subscribed again: there was a gap
            topic.acknowledged.set()
        elif message["type"] == "message":
            topic.tell(decode(message["data"]), len(message["data"]))

    async def _looking(self) -> None:
        """A worker may die between its commit and its announcement: nobody is left hanging for long."""
        while True:
            await asyncio.sleep(_LOOK)
            before = {topic: topic.heard for topic in self._topics.values() if topic.execution is not None}
            if not before:
                continue
            try:
                heads = await self._heads([topic.execution for topic in before if topic.execution is not None])
            except OSError as error:
                log.warning("looking at the followed logs failed: %s", error)
                continue
            await asyncio.sleep(_LOOK / 4)
            for topic in before:
                head = heads.get(topic.execution, 0) if topic.execution is not None else 0
                if head > topic.heard:
                    topic.heard = head
                    topic.tell(Lost())
