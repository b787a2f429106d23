"""Watchers on WebSockets, and a hand that writes logs: changes when watching, or writing what is watched, does."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from arq.connections import ArqRedis, create_pool
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from db.connections import EnginePool
from db.journal import PostgresJournal
from domain.engine.events import Event, EventKind
from domain.engine.ports import Append, ExecutionStatus
from domain.ids import ExecutionId, TenantId, WorkerId, WorkflowId, encode
from domain.json import JSONObject
from jobs.event_codec import encode_activity, encode_change, execution_channel, tenant_channel
from jobs.publisher import Publisher
from jobs.queue import redis_settings
from tests.contract.ledger import NOW, append, completed, new_execution, new_worker, started, step

PATIENCE = 30.0
WATCH = """subscription ($id: ID!, $after: Cursor) { executionEvents(id: $id, after: $after) {
  __typename
  ... on ExecutionEventBatch { cursor events { seq kind data } }
  ... on ExecutionActivity { path status }
  ... on StreamCaughtUp { cursor currentSteps { path } }
  ... on StreamGap { resumeFrom }
  ... on StreamEnd { cursor ended: status } } }"""


@dataclass(slots=True, eq=False)
class Watcher:
    """A socket with one subscription. `texts`: the payloads that came, as they were written."""

    socket: ClientConnection
    id: str
    texts: list[str] = field(default_factory=list[str])

    @property
    def frames(self) -> list[Any]:
        """The root field's values."""
        return [next(iter(json.loads(text)["data"].values())) for text in self.texts]

    @property
    def cursor(self) -> str:
        """Where to go on."""
        return next(frame["cursor"] for frame in reversed(self.frames) if "cursor" in frame)

    @property
    def seqs(self) -> list[int]:
        return [int(event["seq"]) for frame in self.frames for event in frame.get("events", ())]

    async def hear(self) -> str | None:
        """The next payload; None at the end."""
        head = f'{{"id":"{self.id}","type":"next","payload":'
        async with asyncio.timeout(PATIENCE):
            text = cast("str", await self.socket.recv())
        if text == f'{{"id":"{self.id}","type":"complete"}}':
            return None
        assert text.startswith(head), text[:300]
        self.texts.append(text[len(head) : -1])
        return self.texts[-1]

    async def until(self, kind: str) -> "Watcher":
        """Hear until a frame of this type has come."""
        return await self.until_told(f'"__typename":"{kind}"')

    async def until_seq(self, seq: int) -> "Watcher":
        return await self.until_told(f'"seq":"{seq}"')

    async def until_told(self, words: str) -> "Watcher":
        while words not in (text := await self.hear() or ""):
            assert text, f"the stream ended without {words}"
        return self

    async def to_the_end(self) -> "Watcher":
        while await self.hear() is not None:
            pass
        return self

    async def complete(self) -> None:
        await self.socket.send(json.dumps({"id": self.id, "type": "complete"}))

    async def closed(self) -> tuple[int, str]:
        """How the server closes the socket, whatever it says before."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code or 0, self.socket.close_reason or ""


@dataclass(slots=True, kw_only=True)
class Watchers:
    """Opens watchers on one server."""

    url: str
    _stack: AsyncExitStack
    _count: int = 0

    async def open(self, credentials: str, query: str = WATCH, *, unread: int = 16, **variables: Any) -> Watcher:
        """`unread`: how many messages the client takes from the kernel before somebody asks for them."""
        self._count += 1
        socket = await self._stack.enter_async_context(
            connect(self.url, subprotocols=[Subprotocol("graphql-transport-ws")], max_queue=unread, max_size=None)
        )
        watcher = Watcher(socket, f"w{self._count}")
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": credentials}}))
        async with asyncio.timeout(PATIENCE):
            assert await socket.recv() == '{"type":"connection_ack"}'
        payload = {"query": query, "variables": variables}
        await socket.send(json.dumps({"id": watcher.id, "type": "subscribe", "payload": payload}))
        return watcher

    async def caught_up(self, count: int, credentials: str, execution: str, *, unread: int = 16) -> list[Watcher]:
        """`count` watchers of an execution, up to date with its log."""
        opened = [await self.open(credentials, unread=unread, id=execution) for _ in range(count)]
        return await asyncio.gather(*(watcher.until("StreamCaughtUp") for watcher in opened))


@asynccontextmanager
async def watchers_of(address: str) -> AsyncGenerator[Watchers]:
    """Of the server at host:port; all are closed at the end."""
    async with AsyncExitStack() as stack:
        yield Watchers(url=f"ws://{address}/graphql", _stack=stack)


@dataclass(slots=True, kw_only=True)
class Written:
    """An execution whose log a test writes; nobody runs it."""

    tenant_id: TenantId
    execution_id: ExecutionId
    seq: int = 1

    @property
    def id(self) -> str:
        return encode("execution", self.execution_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Writes logs and announces them as a worker does."""

    pool: EnginePool
    redis: ArqRedis
    journal: PostgresJournal
    worker: WorkerId

    async def begin(self, tenant: TenantId, workflow: WorkflowId | None = None) -> Written:
        """A RUNNING execution, of a worker that no sweeper takes for dead."""
        (execution,) = await started(self.pool, tenant, new_execution(workflow=workflow))
        await self.pool.execute(
            "UPDATE execution SET owner = $2, epoch = 1, wants_owner = false, status = 'RUNNING' WHERE id = $1",
            execution,
            self.worker,
        )
        return Written(tenant_id=tenant, execution_id=execution)

    async def write(self, written: Written, count: int = 1, payload: JSONObject | None = None) -> None:
        """`count` events in one commit, so in one announcement."""
        events = [step(written.seq + number, payload) for number in range(1, count + 1)]
        await self._append(written, events)

    async def write_each(self, written: Written, count: int, payload: JSONObject) -> None:
        """`count` events that are announced one by one."""
        first = written.seq + 1
        written.seq += count
        done = [
            self.journal.submit(append(written.execution_id, written.tenant_id, step(seq, payload)))
            for seq in range(first, first + count)
        ]
        await asyncio.gather(*done)

    async def finish(self, written: Written) -> None:
        last = Event(seq=written.seq + 1, kind=EventKind.EXECUTION_COMPLETED, at=NOW, epoch=1)
        written.seq = last.seq
        await self.journal.submit(
            append(written.execution_id, written.tenant_id, last, finished=completed({"done": True}))
        )

    async def stir(self, written: Written, path: str) -> None:
        """A step begins: always at the same moment, in whatever tenant."""
        channel = execution_channel(written.tenant_id, written.execution_id)
        await self._publish(channel, encode_activity(path, path, 1, "ACTIVE", NOW))

    async def change(self, written: Written) -> None:
        """What those who watch the tenant's list hear."""
        workflow = await self.pool.fetchval("SELECT workflow_id FROM execution WHERE id = $1", written.execution_id)
        message = encode_change(written.execution_id, workflow, ExecutionStatus.RUNNING, NOW)
        await self._publish(tenant_channel(written.tenant_id), message)

    async def _publish(self, channel: str, message: bytes) -> None:
        await cast("Any", self.redis).publish(channel, message)

    async def _append(self, written: Written, events: Sequence[Event]) -> None:
        written.seq = events[-1].seq
        await self.journal.submit(append(written.execution_id, written.tenant_id, *events))


@asynccontextmanager
async def author(pool: EnginePool, redis_url: str) -> AsyncGenerator[Author]:
    redis: ArqRedis = await create_pool(redis_settings(redis_url))
    publisher = Publisher(redis)

    def announce(appends: Sequence[Append]) -> None:
        publisher.committed(appends)

    journal = PostgresJournal(pool, on_committed=announce)
    journal.start()
    worker = new_worker()
    await pool.execute(
        """INSERT INTO worker (id, started_at, seen_at, host, pid)
           VALUES ($1, now(), now() + interval '1 hour', 'test', 0)""",
        worker,
    )
    yield Author(pool=pool, redis=redis, journal=journal, worker=worker)
    await pool.execute("UPDATE execution SET owner = NULL, wants_owner = false WHERE owner = $1", worker)
    await pool.execute("DELETE FROM worker WHERE id = $1", worker)
    await journal.close()
    await publisher.close()
    await redis.aclose()
