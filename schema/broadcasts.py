"""One source for many subscribers, where it has no cursor: changes when joining, leaving or falling behind does."""

import asyncio
from asyncio import Queue, Task
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar, cast

MOST_QUEUED = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """An element of a source; no other element of any source has its number."""

    number: int
    value: T


@dataclass(frozen=True, slots=True)
class _Over:
    """Nothing follows; `error` when the source broke."""

    error: BaseException | None


class _Broadcast(Generic[T]):
    """A source at work. Whoever falls behind loses what waits for them, is told `missed`, and holds up nobody."""

    def __init__(self, source: AsyncGenerator[T, None], missed: T, numbers: "count[int]") -> None:
        self._source = source
        self._missed = missed
        self._numbers = numbers
        self.members: set[Queue[Told[T] | _Over]] = set()
        self.task: Task[None] = asyncio.create_task(self._run())
        self.task.add_done_callback(self._end)

    async def _run(self) -> None:
        async with aclosing(self._source):
            async for value in self._source:
                self._tell(Told(next(self._numbers), value))

    def _end(self, task: Task[None]) -> None:
        self._tell(_Over(None if task.cancelled() else task.exception()))

    def _tell(self, told: Told[T] | _Over) -> None:
        for queue in self.members:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Told(next(self._numbers), self._missed))
            queue.put_nowait(told)


class Broadcasts:
    """The sources at work in this process, by key; each is closed when the last of its members leaves."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Broadcast[object]] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._running)

    async def joined(self, key: Hashable, source: AsyncGenerator[T, None], missed: T) -> AsyncGenerator[Told[T], None]:
        """What the source of this key gives from now on; `source` itself is used only when there is none yet.

        Raises what the source raised.
        """
        broadcast = cast("_Broadcast[T] | None", self._running.get(key))
        if broadcast is None:
            broadcast = _Broadcast(source, missed, self._numbers)
            self._running[key] = cast("_Broadcast[object]", broadcast)
            broadcast.task.add_done_callback(lambda _: self._drop(key, broadcast))
        queue: Queue[Told[T] | _Over] = Queue(MOST_QUEUED)
        broadcast.members.add(queue)
        try:
            while isinstance(told := await queue.get(), Told):
                yield told
            if told.error is not None:
                raise told.error
        finally:
            broadcast.members.discard(queue)
            if not broadcast.members:
                self._drop(key, broadcast)
                broadcast.task.cancel()
                await asyncio.wait([broadcast.task])

    def _drop(self, key: Hashable, broadcast: object) -> None:
        if self._running.get(key) is broadcast:
            del self._running[key]
