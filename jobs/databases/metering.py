"""A limit to what a database server may send: drivers take whatever comes into memory, one huge value too."""

import asyncio
from typing import cast


class Meter(asyncio.Protocol):
    """Stands between a transport and a driver's protocol; ends the connection after `most` bytes.

    Made with `Meter.on(transport, …)` once the driver is connected. `exceeded` says why the connection ended.
    """

    def __init__(self, inner: asyncio.Protocol, transport: asyncio.Transport, most: int) -> None:
        self._inner = inner
        self._transport = transport
        self._left = most
        self.exceeded = False

    @classmethod
    def on(cls, transport: asyncio.Transport, most: int) -> "Meter":
        meter = cls(cast("asyncio.Protocol", transport.get_protocol()), transport, most)
        transport.set_protocol(meter)
        return meter

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.exceeded = True
            self._transport.abort()
        else:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
