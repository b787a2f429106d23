"""What a PostgreSQL server may send: messages of lengths that there can be, and no more bytes than are wanted.

asyncpg believes the length a message gives itself. One that is shorter than its own length field (four bytes, see
"Message Formats" in PostgreSQL's manual) it reads for ever, without giving the event loop back.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from jobs.databases.metering import Meter

_TYPE_BYTES = 1
_LENGTH_BYTES = 4
_HEADER_BYTES = _TYPE_BYTES + _LENGTH_BYTES


class Wire(Meter):
    """A meter that ends the connection too at the first message whose length cannot be, before the driver sees it."""

    def __init__(self, inner: asyncio.Protocol, most: int) -> None:
        super().__init__(inner, most)
        self._header = b""
        self._body_left = 0

    def data_received(self, data: bytes) -> None:
        if self._sound(data):
            super().data_received(data)
        else:
            self.abort()

    def _sound(self, data: bytes) -> bool:
        at = 0
        while at < len(data):
            if self._body_left:
                taken = min(self._body_left, len(data) - at)
                self._body_left -= taken
            else:
                taken = min(_HEADER_BYTES - len(self._header), len(data) - at)
                self._header += data[at : at + taken]
                if len(self._header) == _HEADER_BYTES:
                    length = int.from_bytes(self._header[_TYPE_BYTES:], signed=True)
                    if length < _LENGTH_BYTES:
                        return False
                    self._header, self._body_left = b"", length - _LENGTH_BYTES
            at += taken
        return True


class WireLoop:
    """The running event loop as one asyncpg connection is to see it: the messages it receives pass a `Wire`.

    asyncpg takes neither a connected transport nor a protocol, but a loop. With TLS the bytes before it belong to the
    negotiation and are no messages: only what comes through the TLS transport is looked at.
    """

    def __init__(self, *, tls: bool, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._most = most
        self.wire: Wire | None = None

    @property
    def exceeded(self) -> bool:
        return self.wire is not None and self.wire.exceeded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        if self._tls:
            return await self._loop.create_connection(factory, host, port)
        transport, wire = await self._loop.create_connection(lambda: self.guarding(factory()), host, port)
        return transport, wire.inner

    async def start_tls(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext, *, server_hostname: str
    ) -> "_Transport | None":
        upgraded = await self._loop.start_tls(transport, protocol, context, server_hostname=server_hostname)
        return None if upgraded is None else _Transport(upgraded, self)

    def guarding(self, protocol: asyncio.Protocol) -> Wire:
        self.wire = Wire(protocol, self._most)
        return self.wire


class _Transport:
    """A transport that puts a `Wire` before each protocol it is given."""

    def __init__(self, transport: asyncio.Transport, loop: WireLoop) -> None:
        self._transport = transport
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._loop.guarding(cast("asyncio.Protocol", protocol)).put_on(self._transport)
