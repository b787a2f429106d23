"""uvicorn's HTTP with what it lacks, bounds on a request's head: changes when they move, or uvicorn's protocol does."""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS: Final = 20.0
"""From the first moment of a connection, or the first byte after an answer, to the end of the next request's head."""
HEAD_BYTES: Final = 64 * 1024


class PatientHttp(HttpToolsProtocol):
    """Hangs up on a head that is too slow or too long. A body that is being read is `PatientBody`'s."""

    head_seconds = HEAD_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] -- uvicorn narrows it too
        super().connection_made(transport)
        self._be_impatient()

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_patient()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is None and self._answers_nothing():
            self._be_impatient()
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._be_patient()
        super().on_headers_complete()

    def _answers_nothing(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is None or cycle.response_complete

    def _be_impatient(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _be_patient(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
