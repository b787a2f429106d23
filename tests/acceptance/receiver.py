"""The outside world of a trial: an HTTP server that remembers every request; changes when more is to be remembered."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime


class Receiver:
    """Answers `{"n": 1}` with `{"n": 2}` after `delay` seconds.

    `arrivals`: when each request arrived, by its `Idempotency-Key`, on the clock that the log's times are read from.
    `said`: what the requests of a key asked for, each path and body once.
    """

    def __init__(self) -> None:
        self.arrivals: defaultdict[str, list[datetime]] = defaultdict(list)
        self.said: defaultdict[str, set[tuple[str, bytes]]] = defaultdict(set)
        self.delay = 0.03
        self.address = ""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            at = datetime.now(UTC)
            headers = _headers(head)
            key = headers["idempotency-key"]
            self.arrivals[key].append(at)
            body = await reader.readexactly(int(headers["content-length"]))
            self.said[key].add((head.split(b" ", 2)[1].decode("ascii"), body))
            await asyncio.sleep(self.delay)
            writer.write(_answer({"n": json.loads(body)["n"] + 1}))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """A receiver on a free loopback port; its `address` is host:port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.converse, "127.0.0.1", 0, backlog=1_000)
    receiver.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield receiver
    server.close()


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("ascii").splitlines()[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _answer(body: object) -> bytes:
    content = json.dumps(body).encode()
    head = "HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(content)}", "connection: close"
    return "\r\n".join((*head, "", "")).encode("ascii") + content
