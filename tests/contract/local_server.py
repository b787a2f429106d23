"""A web server that answers as a test says and notices who hangs up: changes when a test needs another answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson

from domain.json import JSON

PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: bytes = b"null"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def answer(value: JSON = None, status: int = 200, **headers: str) -> Answer:
    """`retry_after="2"` is the header Retry-After."""
    return Answer(
        status=status,
        body=orjson.dumps(value),
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )


@dataclass(slots=True, eq=False)
class LocalServer:
    """What has no `reply` gets 200 and null. `hold` keeps a path's requests unanswered until `let_go`."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    hung_up: list[str] = field(default_factory=list[str])
    _replies: dict[str, Sequence[Answer]] = field(default_factory=dict[str, Sequence[Answer]])
    _held: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, *paths: str) -> None:
        self._held.update((path, asyncio.Event()) for path in paths)

    def let_go(self, path: str) -> None:
        self._held[path].set()

    def reply(self, path: str, *answers: Answer) -> None:
        """These answers in turn, the last for ever."""
        self._replies[path] = answers

    def count(self, path: str) -> int:
        return sum(each.path == path for each in self.asked)

    async def has(self, path: str, count: int = 1) -> None:
        """Return once `count` requests have come to the path."""
        await self._until(lambda: self.count(path) >= count)

    async def lost(self, path: str) -> None:
        """Return once somebody has hung up on this path before the answer."""
        await self._until(lambda: path in self.hung_up)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            asked = await _request(reader)
            count = self.count(asked.path)
            self.asked.append(asked)
            self._stirred.set()
            if await self._hangs_up(reader, asked.path):
                self.hung_up.append(asked.path)
                self._stirred.set()
            else:
                replies = self._replies.get(asked.path, (answer(),))
                writer.write(_written(replies[min(count, len(replies) - 1)]))
                await writer.drain()
        writer.close()

    async def _hangs_up(self, reader: asyncio.StreamReader, path: str) -> bool:
        """Wait until the path is let go; True when the other side closes first."""
        held = self._held.get(path)
        if held is None:
            return False
        free, gone = asyncio.ensure_future(held.wait()), asyncio.ensure_future(reader.read(1))
        await asyncio.wait({free, gone}, return_when=asyncio.FIRST_COMPLETED)
        left = gone.done()
        free.cancel()
        gone.cancel()
        return left


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method=method, path=path, headers=headers, body=body)


def _written(reply: Answer) -> bytes:
    headers = {
        "content-type": "application/json",
        "content-length": str(len(reply.body)),
        "connection": "close",
        **reply.headers,
    }
    lines = [f"HTTP/1.1 {reply.status} Answer", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + reply.body


@asynccontextmanager
async def local_server() -> AsyncGenerator[LocalServer]:
    server = LocalServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        listener.close()
