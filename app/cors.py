"""Pages of other origins that may call the API: changes when they may do more or less."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "X-API-Key")
_SHOWN = ("ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After")


class ListedOrigins:
    """Answers as if there were no CORS to whoever is not listed: no header, no preflight.

    Origins are compared as browsers send them: scheme, host and port in small letters.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._listed = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_SENT,
            expose_headers=_SHOWN,
            allow_credentials=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._origins:
            await self._app(scope, receive, send)
        elif Headers(scope=scope).get("origin") in self._origins:
            await self._listed(scope, receive, send)
        else:
            await self._app(scope, receive, _varying(send))


def _varying(send: Send) -> Send:
    """A cache must not give this answer to a listed origin, which would miss its headers."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).add_vary_header("Origin")
        await send(message)

    return answer
