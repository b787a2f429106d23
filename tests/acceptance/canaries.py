"""Secrets that are planted, and every place they could have got out to: changes when there is another such place."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, quote_plus

import asyncpg
from redis.asyncio import Redis

from app.stack import running
from db.connections import Connection
from tests.unit.http_server import Answer, Received, Server

OPEN = ("master.key", "credentials.json")
"""The files of a data directory whose purpose it is to hold a secret."""
_SERVERS = "servers"
_TABLES = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm') ORDER BY 1
"""


def spellings(secret: str) -> frozenset[str]:
    """The secret as it is, and as it would be after what programs do to texts."""
    content = secret.encode()
    inside = {
        base64.b64encode(bytes(before) + content).decode()[4 if before else 0 :].rstrip("=")[:-2] for before in range(3)
    }
    whole = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], content.hex()}
    return frozenset(whole | inside)


@dataclass(slots=True, kw_only=True)
class Search:
    """For all spellings of these secrets, by what each is; `found` says what was where."""

    secrets: Mapping[str, str]
    found: list[str] = field(default_factory=list[str])
    looked: set[str] = field(default_factory=set[str])

    def look(self, place: str, text: str) -> None:
        self.looked.add(place)
        for name, secret in self.secrets.items():
            for spelling in spellings(secret):
                at = text.find(spelling)
                if at >= 0:
                    self.found.append(f"{name} in {place}: …{text[max(0, at - 80) : at]}[{name}]")

    async def database(self, dsn: str) -> None:
        """Every column of every table there is, bytes as hexadecimal."""
        connection: Connection = await asyncpg.connect(dsn)
        try:
            for (table,) in await connection.fetch(_TABLES):
                rows = await connection.fetch(f'SELECT kept::text FROM "{table}" AS kept')
                self.look(f"table {table}", "\n".join(row[0] for row in rows))
        finally:
            await connection.close()

    async def redis(self, client: Redis) -> None:
        """Every key and its value."""
        asked = cast("Any", client)
        async for key in asked.scan_iter(count=1_000):
            text = f"{key!r} {await _value(asked, key)!r}"
            self.look("Redis", text)
        self.looked.add("Redis")

    def files(self, data_dir: Path) -> None:
        """What the data directory holds besides the servers' own files, and the keys."""
        for file in data_dir.rglob("*"):
            parts = file.relative_to(data_dir).parts
            if file.is_file() and parts[0] != _SERVERS and parts[0] not in OPEN:
                self.look(f"file {parts[0]}", file.read_bytes().decode(errors="replace"))


async def _value(client: Any, key: bytes) -> object:
    match await client.type(key):
        case b"string":
            return await client.get(key)
        case b"hash":
            return await client.hgetall(key)
        case b"list":
            return await client.lrange(key, 0, -1)
        case b"set":
            return await client.smembers(key)
        case b"zset":
            return await client.zrange(key, 0, -1, withscores=True)
        case b"stream":
            return await client.xrange(key)
        case _:
            return None


@asynccontextmanager
async def overheard(client: Redis) -> AsyncGenerator[list[str]]:
    """All that is published on any channel meanwhile."""
    heard: list[str] = []
    channel: Any = cast("Any", client).pubsub()
    await channel.psubscribe("*")

    async def listen() -> None:
        async for message in channel.listen():
            heard.append(repr(message))

    listening = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await channel.aclose()


def servers(data_dir: Path) -> tuple[str, str]:
    """The URLs of the data directory's PostgreSQL and Redis."""
    urls = running(data_dir)
    return urls["PostgreSQL"], urls["Redis"]


def repeat_everything(server: Server, paths: Iterable[str]) -> None:
    """A service that quotes whatever it was sent in its answer: `/fine` succeeds, `/broken` fails with 500."""
    for path in paths:
        server.answers[path] = _quote_fine if path.endswith("fine") else _quote_broken


async def _quote_fine(request: Received) -> Answer:
    return _quoting(request, 200)


async def _quote_broken(request: Received) -> Answer:
    return _quoting(request, 500)


def _quoting(request: Received, status: int) -> Answer:
    given = {"target": request.target, "headers": dict(request.headers), "body": request.body.decode()}
    body = json.dumps({"error": {"message": json.dumps(given)}, "message": json.dumps(given), "given": given})
    headers = {"content-type": "application/json", "x-quoted": request.headers.get("authorization", "-")}
    return Answer(status=status, headers=headers, body=body.encode())


@asynccontextmanager
async def quoting_mail_server() -> AsyncGenerator[int]:
    """The port of an SMTP server that refuses everybody, and quotes the password that it was given."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 quoting ESMTP\r\n")
        try:
            while line := (await reader.readline()).decode().strip():
                if line.upper().startswith("EHLO"):
                    writer.write(b"250-quoting\r\n250 AUTH PLAIN\r\n")
                elif line.upper().startswith("AUTH"):
                    word = line.rpartition(" ")[2]
                    plain = base64.b64decode(word).decode(errors="replace").replace("\0", " ")
                    writer.write(f"535 not you: {word} which is {plain}\r\n".encode())
                else:
                    writer.write(b"221 bye\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


@asynccontextmanager
async def quoting_socket() -> AsyncGenerator[int]:
    """The port of something that is no database: it gives back what it is sent, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):  # MySQL speaks second
                writer.write(await reader.read(4_096))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
