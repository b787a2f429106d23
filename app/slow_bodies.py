"""Bodies that trickle in to keep a connection busy: changes when the patience with them does."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SLOWEST = 1024
"""Bytes a second, on average, that keep a long body from being cut off."""


class PatientBody:
    """Gives a body `seconds`, and one more for each KiB that has come; then answers 408 and hangs up.

    The application hears that the client has gone, so that nothing of a cut-off body is taken for whole.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, send, self._seconds)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if not body.late:
                raise  # else it is what the application makes of a client that has gone
        if body.late and not body.answered:
            await _too_slow(self._seconds)(scope, receive, send)


class _Body:
    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._whole = False
        self.late = False
        self.answered = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        if self.late:
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.late = True
            return {"type": "http.disconnect"}
        self._deadline += len(message.get("body", b"")) / SLOWEST
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """What is said to a client that has gone is replaced by the 408."""
        if self.late and not self.answered:
            return
        self.answered = True
        await self._send(message)


def _too_slow(seconds: float) -> JSONResponse:
    title = f"The body did not come within {seconds:g} s"
    body = {"type": "about:blank", "title": title, "status": 408, "code": "TIMEOUT"}
    return JSONResponse(body, 408, headers={"Connection": "close"}, media_type="application/problem+json")
