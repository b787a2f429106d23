"""Changes when the way appends gather, are committed and are answered changes.

One writer task per process. What gathers while a batch is being committed is the next batch: no timers, and under
load the batches grow by themselves. The writer outlives the database's absences: it sends an unanswered batch again,
and where that is refused looks in the log whether it had arrived the first time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from db.journal_batch import APPEND, GIVE_BACK, WRITTEN, Entry, arguments, entry, heads
from db.journal_relations import Touched, is_related, lock, write
from db.outages import OUTAGE, UNSTORABLE
from domain.engine.ports import Append, JournalRefused, LostOwnership
from domain.ids import ExecutionId

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy
    from asyncpg.prepared_stmt import PreparedStatement

    from db.connections import EnginePool

log = logging.getLogger("weir.journal")
T = TypeVar("T")

_MOST_BYTES = 8 * 1024 * 1024
_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_CROWD, _GATHER = 40, 0.005
"""After a batch of so many appends the next gathers for so many seconds: a commit costs as much as many of them do."""
_TIMEOUT = 30.0  # seconds until a server that says nothing counts as away

# Planned once: a batch shall neither pay for planning nor depend on what was in the tables when it was its turn. Every
# table is reached by key, also those that were nearly empty when the plan was made.
_SESSION = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off"


class PostgresJournal:
    """`domain.engine.ports.Journal`. Keeps one connection of `pool` from its first batch until `close`.

    `on_committed` is called in the event loop, once per batch, with what has become durable, after its futures are
    resolved; `on_touched` with what a batch did for others. A batch has at most `max_batch` events and 8 MiB, unless
    it is a single append.
    """

    def __init__(
        self,
        pool: "EnginePool",
        *,
        on_committed: Callable[[Sequence[Append]], None],
        on_touched: Callable[[Touched], None] = lambda _: None,
        max_batch: int = 1_000,
    ) -> None:
        self._pool = pool
        self._on_committed = on_committed
        self._on_touched = on_touched
        self._max_batch = max_batch
        self._queue: deque[Entry] = deque()
        self._writing: Sequence[Entry] = ()
        self._gathered = asyncio.Event()
        self._lost: dict[ExecutionId, int] = {}
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None
        self._append: PreparedStatement[asyncpg.Record] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        self._writer = asyncio.create_task(self._write_until_closed(), name="journal")
        self._writer.add_done_callback(_report)

    async def close(self, patience: float = 10.0) -> None:
        """Write what is queued, then stop; after `patience` seconds give it up, cancelling its futures."""
        self._closed = True
        self._gathered.set()
        if self._writer is not None:
            try:
                async with asyncio.timeout(patience):
                    await self._writer
            except TimeoutError:
                log.error("the journal was closed before the database took everything")

    def submit(self, append: Append) -> asyncio.Future[None]:
        """Queue it behind this execution's earlier appends; resolves when durable.

        Fails with LostOwnership, or with JournalRefused for what the database cannot store. Such an execution is
        given back, to go on from its log; the appends behind it fail with LostOwnership.
        """
        if self._closed:
            raise RuntimeError("the journal is closed")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._has_lost(append):
            durable.set_exception(LostOwnership(append.execution_id))
        else:
            self._queue.append(entry(append, durable))
            self._gathered.set()
        return durable

    def forget(self, execution_id: ExecutionId) -> None:
        self._lost.pop(execution_id, None)

    # Gathering

    async def _write_until_closed(self) -> None:
        try:
            while self._queue or not self._closed:
                await self._gathered.wait()
                self._gathered.clear()
                while self._queue:
                    self._writing = self._take()
                    await self._write(self._writing)
                    if len(self._writing) >= _CROWD and not self._closed:
                        await asyncio.sleep(_GATHER)
        finally:
            self._closed = True
            for item in (*self._writing, *self._queue):
                item.durable.cancel()
            await self._disconnect()

    def _take(self) -> list[Entry]:
        """The next batch, oldest first. Two ownerships of one execution never share one: their fences differ."""
        batch: list[Entry] = []
        epochs: dict[ExecutionId, int] = {}
        events = size = 0
        while self._queue:
            append = self._queue[0].append
            events += len(append.events)
            size += self._queue[0].size
            full = events > self._max_batch or size > _MOST_BYTES
            if batch and (full or epochs.get(append.execution_id, append.epoch) != append.epoch):
                break
            epochs[append.execution_id] = append.epoch
            batch.append(self._queue.popleft())
        return batch

    # Committing

    async def _write(self, batch: Sequence[Entry]) -> None:
        """Commit and answer; halves what the database cannot store until the one at fault stands alone."""
        try:
            lost = await self._answer(lambda: self._commit(batch))
        except (JournalRefused, *UNSTORABLE) as error:
            if len(batch) == 1:
                await self._refuse(batch[0], str(error))
            else:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
            return
        self._settle(batch, lost)

    async def _commit(self, batch: Sequence[Entry]) -> set[ExecutionId]:
        """Append all but the executions it gives, which are lost. Harmless to repeat."""
        connection, statement = await self._connected()
        if is_related(batch):
            refused = await self._commit_related(connection, statement, batch)
        else:
            rows = await statement.fetch(*arguments(batch), timeout=_TIMEOUT)
            refused = {row["execution_id"] for row in rows}
        if refused:
            # What stands in the way may be the same batch, sent over a connection that broke before it was answered.
            doubtful = [item for item in batch if item.append.execution_id in refused]
            rows = await connection.fetch(WRITTEN, *heads(doubtful), timeout=_TIMEOUT)
            refused -= {row["execution_id"] for row in rows}
        return refused

    async def _commit_related(
        self,
        connection: "PoolConnectionProxy[asyncpg.Record]",
        statement: "PreparedStatement[asyncpg.Record]",
        batch: Sequence[Entry],
    ) -> set[ExecutionId]:
        """The same for a batch that begins or tells other executions: all of it is one transaction."""
        async with connection.transaction():
            releasing = await lock(connection, batch)
            rows = await statement.fetch(*arguments(batch), timeout=_TIMEOUT)
            refused: set[ExecutionId] = {row["execution_id"] for row in rows}
            written = [item.append for item in batch if item.append.execution_id not in refused]
            touched = await write(connection, written, releasing)
        asyncio.get_running_loop().call_soon(self._on_touched, touched)
        return refused

    async def _refuse(self, item: Entry, reason: str) -> None:
        """The log stays as it is before this append. Raising the epoch keeps out whatever was submitted behind it."""
        append = item.append
        log.error("execution %s: an event cannot be stored: %s", append.execution_id, reason)

        async def give_back() -> None:
            connection, _ = await self._connected()
            await connection.execute(GIVE_BACK, append.execution_id, append.epoch, timeout=_TIMEOUT)

        await self._answer(give_back)
        _fail(item, JournalRefused(reason))

    # Answering

    def _settle(self, batch: Sequence[Entry], lost: set[ExecutionId]) -> None:
        durable: list[Append] = []
        for item in batch:
            if item.append.execution_id in lost:
                _fail(item, LostOwnership(item.append.execution_id))
            else:
                durable.append(item.append)
                if not item.durable.done():
                    item.durable.set_result(None)
        if lost:
            self._lose([item.append for item in batch if item.append.execution_id in lost])
        if durable:
            asyncio.get_running_loop().call_soon(self._on_committed, durable)

    def _lose(self, appends: Sequence[Append]) -> None:
        """Nothing more is written in these ownerships, neither what is queued nor what will be submitted."""
        self._lost.update((append.execution_id, append.epoch) for append in appends)
        queued, self._queue = self._queue, deque[Entry]()
        for item in queued:
            if self._has_lost(item.append):
                _fail(item, LostOwnership(item.append.execution_id))
            else:
                self._queue.append(item)

    def _has_lost(self, append: Append) -> bool:
        return append.epoch <= self._lost.get(append.execution_id, -1)

    # The connection

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the database says in the end, asked as often and over as many connections as that takes.

        Raises only what UNSTORABLE names, and JournalRefused.
        """
        away_since: float | None = None
        pause = _PAUSE
        while True:
            try:
                answer = await ask()
            except UNSTORABLE:
                raise
            except (asyncpg.PostgresError, *OUTAGE) as error:
                if away_since is None:
                    away_since = monotonic()
                    log.warning("the database does not take events, trying on: %s", str(error) or type(error).__name__)
                await self._disconnect(broken=True)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                if away_since is not None:
                    log.warning("the database takes events again, after %.1f s", monotonic() - away_since)
                return answer

    async def _connected(
        self,
    ) -> "tuple[PoolConnectionProxy[asyncpg.Record], PreparedStatement[asyncpg.Record]]":
        if self._connection is None:
            self._connection = await self._pool.acquire(timeout=_TIMEOUT)
        if self._append is None:
            await self._connection.execute(_SESSION, timeout=_TIMEOUT)
            self._append = await self._connection.prepare(APPEND, timeout=_TIMEOUT)
        return self._connection, self._append

    async def _disconnect(self, *, broken: bool = False) -> None:
        """Close the connection, which keeps its settings from the pool's other users."""
        connection, self._connection, self._append = self._connection, None, None
        if connection is None:
            return
        with suppress(*OUTAGE):  # a broken one may have left the pool by itself
            if broken:
                connection.terminate()
            else:
                await connection.close(timeout=1)
        await self._pool.release(connection)


def _fail(item: Entry, error: Exception) -> None:
    if not item.durable.done():
        item.durable.set_exception(error)


def _report(writer: asyncio.Task[None]) -> None:
    if not writer.cancelled() and (error := writer.exception()) is not None:
        log.critical("the journal has stopped", exc_info=error)
