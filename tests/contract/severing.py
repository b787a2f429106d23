"""A way to PostgreSQL that can be cut at the worst moment: a request arrived, its answer never does."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

_SOCKET = ".s.PGSQL.5432"


class SeveredWay:
    """`cut_answer_to` is a part of a request; the answer to the first such request is swallowed with its connection.

    `cut_now` leaves every server process at its work, with nobody to answer to. `refusing`: nobody new gets through.
    """

    def __init__(self, dsn: str, directory: str) -> None:
        parts = urlsplit(dsn)
        (self._server,) = parse_qs(parts.query)["host"]
        self.dsn = urlunsplit(parts._replace(query=f"host={directory}"))
        self.cut_answer_to: bytes | None = None
        self.cuts = 0
        self.refusing = False
        self._clients: set[asyncio.StreamWriter] = set()
        self._servers: set[asyncio.StreamWriter] = set()

    def cut_now(self) -> None:
        for client in self._clients:
            client.transport.abort()
        self._clients.clear()

    async def serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.refusing:
            client.transport.abort()
            return
        answers, server = await asyncio.open_unix_connection(str(Path(self._server) / _SOCKET))
        self._clients.add(client)
        self._servers.add(server)
        doomed = asyncio.Event()
        back = asyncio.create_task(self._answer(answers, client, doomed))
        while request := await _read(reader):
            if self.cut_answer_to is not None and self.cut_answer_to in request:
                self.cut_answer_to = None
                doomed.set()
            server.write(request)
        await back

    async def _answer(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        while answer := await _read(answers):
            if doomed.is_set():
                self.cuts += 1
                client.transport.abort()
                return
            client.write(answer)
        client.close()

    def close(self) -> None:
        for writer in (*self._clients, *self._servers):
            writer.transport.abort()


@asynccontextmanager
async def severed_way(dsn: str) -> AsyncGenerator[SeveredWay]:
    with tempfile.TemporaryDirectory() as directory:
        way = SeveredWay(dsn, directory)
        listener = await asyncio.start_unix_server(way.serve, str(Path(directory) / _SOCKET))
        try:
            yield way
        finally:
            listener.close()
            way.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """What has arrived; empty at the end, however it came."""
    try:
        return await reader.read(65_536)
    except ConnectionError:
        return b""
