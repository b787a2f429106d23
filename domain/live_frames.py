"""Watching one execution without loss or doubles: its log up to now, then what follows live, until the end."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from domain.engine.events import TERMINAL, Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.errors import Invalid
from domain.executions import ExecutionReader, LogReader
from domain.executions_control import load
from domain.ids import ExecutionId, TenantId
from domain.live import Activity, Changed, Events, Follower, LiveFeed, Lost, TaskChanged

CHUNK = 1_000
BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """At most 100 events, contiguous; the cursor is the seq of the last."""

    execution_id: ExecutionId
    events: Sequence[Event]

    @property
    def seq(self) -> int:
        return self.events[-1].seq


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtUp:
    """All that was durable when watching began has been shown; what follows is live."""

    execution_id: ExecutionId
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Live messages were lost: activity in between is not shown; the log is read again from after `seq`."""

    execution_id: ExecutionId
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The execution is over and everything of it was shown."""

    execution_id: ExecutionId
    seq: int
    status: ExecutionStatus


Frame = EventBatch | Activity | CaughtUp | Gap | End

_ENDINGS = {
    EventKind.EXECUTION_COMPLETED: ExecutionStatus.COMPLETED,
    EventKind.EXECUTION_FAILED: ExecutionStatus.FAILED,
    EventKind.EXECUTION_CANCELLED: ExecutionStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What watching needs: bound to one tenant."""

    tenant_id: TenantId
    executions: ExecutionReader
    log: LogReader
    feed: LiveFeed


async def watch(execution_id: ExecutionId, after: int, *, given: Watching) -> AsyncGenerator[Frame, None]:
    """Frames of the execution's events with a higher seq than `after`.

    Checked before anything is shown: raises NotFound, and Invalid when the log has no event `after`.
    """
    await load(execution_id, given.executions)
    if after and [event.seq for event in await given.log.after(execution_id, after - 1, 1)] != [after]:
        raise Invalid("The cursor is not one of this execution's", path=("after",), remedy="Leave it out to see all.")
    return _Watch(execution_id, after, given).frames()


class _Watch:
    """One watcher's place in the log (`seq`), and how the execution ended once that was seen."""

    def __init__(self, execution_id: ExecutionId, after: int, given: Watching) -> None:
        self._id = execution_id
        self._seq = after
        self._given = given
        self._ended: ExecutionStatus | None = None

    async def frames(self) -> AsyncGenerator[Frame, None]:
        # Following begins before the log is read, so that nothing falls between the two.
        async with self._given.feed.follow(self._given.tenant_id, self._id) as follower:
            async for batch in self._replay():
                yield batch
            await self._look_whether_over()
            yield CaughtUp(execution_id=self._id, seq=self._seq)
            while self._ended is None:
                async for frame in self._next(follower):
                    yield frame
            yield End(execution_id=self._id, seq=self._seq, status=self._ended)

    async def _next(self, follower: Follower) -> AsyncGenerator[Frame, None]:
        match await follower.next():
            case Events(events=events):
                async for batch in self._live(events):
                    yield batch
            case Activity() as activity:
                yield activity
            case Lost():
                async for frame in self._recover():
                    yield frame
            case Changed() | TaskChanged():
                pass

    async def _recover(self) -> AsyncGenerator[Frame, None]:
        """Read on in the log. When nothing is new there, nothing that counts was lost."""
        gap: Gap | None = Gap(execution_id=self._id, seq=self._seq)
        async for batch in self._replay():
            if gap is not None:
                yield gap
                gap = None
            yield batch
        if gap is None and self._ended is None:
            yield CaughtUp(execution_id=self._id, seq=self._seq)

    async def _live(self, events: Sequence[Event]) -> AsyncGenerator[Frame, None]:
        fresh = [event for event in events if event.seq > self._seq]
        if fresh and fresh[0].seq != self._seq + 1:
            async for batch in self._replay():
                yield batch
            return
        for batch in self._batches(fresh):
            yield batch

    async def _replay(self) -> AsyncGenerator[Frame, None]:
        while events := await self._given.log.after(self._id, self._seq, CHUNK):
            for batch in self._batches(events):
                yield batch
            if len(events) < CHUNK:
                return

    def _batches(self, events: Sequence[Event]) -> Sequence[EventBatch]:
        """The events in batches, taken note of as shown."""
        for event in events:
            self._seq = event.seq
            if event.kind in TERMINAL:
                self._ended = _ENDINGS[event.kind]
        return [
            EventBatch(execution_id=self._id, events=events[start : start + BATCH])
            for start in range(0, len(events), BATCH)
        ]

    async def _look_whether_over(self) -> None:
        """A watcher who comes with the cursor of the last event would otherwise wait for ever."""
        if self._ended is None and self._seq:
            last = await self._given.log.after(self._id, self._seq - 1, 1)
            if last and last[0].kind in TERMINAL:
                self._ended = _ENDINGS[last[0].kind]
