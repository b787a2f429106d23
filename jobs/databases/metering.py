"""A limit to what a database server may send: drivers take whatever comes into memory, one huge value too."""

import asyncio
from typing import cast


class Meter(asyncio.Protocol):
    """Stands between a transport and a driver's protocol; ends the connection after `most` bytes.

    Given to a loop as a protocol, or put on with `Meter.on` once the driver is connected.
    `exceeded` says why the connection ended.
    """

    def __init__(self, inner: asyncio.Protocol, most: int) -> None:
        self.inner = inner
        self._left = most
        self._transport: asyncio.Transport | None = None
        self.exceeded = False

    @classmethod
    def on(cls, transport: asyncio.Transport, most: int) -> "Meter":
        meter = cls(cast("asyncio.Protocol", transport.get_protocol()), most)
        meter.put_on(transport)
        return meter

    def put_on(self, transport: asyncio.Transport) -> None:
        """For a transport that `inner` has been told of already."""
        self._transport = transport
        transport.set_protocol(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.exceeded = True
            self.abort()
        else:
            self.inner.data_received(data)

    def abort(self) -> None:
        """Ends the connection; the driver hears of it as of any other loss."""
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()
