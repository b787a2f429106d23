"""What stands before every route: changes when a rule for all requests and answers does."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.cors import ListedOrigins
from app.slow_bodies import PatientBody

logger = logging.getLogger("weir.edge")

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer that does not say otherwise itself."""
STRICT_TRANSPORT = "max-age=31536000"
_PROBES = frozenset({"/healthz", "/readyz"})
"""Asked by machines that know an address and no name; their answers tell nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """`hosts`: names, `*.` and a domain for all below it; none: every name. `origins`: whose pages may call.

    `https`: whether others reach this server by https. `body_seconds`: as in `PatientBody`.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    https: bool = False
    body_seconds: float = 20.0


def guarded(app: ASGIApp, rules: EdgeRules) -> ASGIApp:
    """The application behind the rules; an exception that reaches them is told to nobody but the log."""
    inner = PatientBody(ListedOrigins(_KnownHosts(app, rules.hosts), rules.origins), seconds=rules.body_seconds)
    return _Safe(inner, https=rules.https)


class _Safe:
    """Gives every answer the headers, and an unexpected exception an id in place of its text."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._complete(MutableHeaders(scope=message), secure=self._https or scope["scheme"] == "https")
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if begun:
                raise  # the server breaks the answer off, so that nobody takes it for whole
            await _internal(error, scope)(scope, receive, answer)

    def _complete(self, headers: MutableHeaders, *, secure: bool) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if secure:
            headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)


def _internal(error: Exception, scope: Scope) -> JSONResponse:
    error_id = uuid4().hex
    logger.error("Unexpected error %s at %s %s", error_id, scope["method"], scope["path"], exc_info=error)
    body = {"type": "about:blank", "title": "Internal error", "status": 500, "code": "INTERNAL", "errorId": error_id}
    return JSONResponse(body, 500, media_type="application/problem+json")


class _KnownHosts:
    """Refuses a Host that is not this server's name: links and caches would be made of it."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._known: Callable[[str], bool] = _names(hosts) if hosts else lambda _: True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in _PROBES or self._known(_host_of(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # answers the handshake with 403
        else:
            body = {"type": "about:blank", "title": "This server has another name", "status": 421, "code": "HOST"}
            await JSONResponse(body, 421, media_type="application/problem+json")(scope, receive, send)


def _names(hosts: tuple[str, ...]) -> Callable[[str], bool]:
    exact = frozenset(host for host in hosts if not host.startswith("*."))
    ends = tuple(host.removeprefix("*") for host in hosts if host.startswith("*."))
    return lambda name: name in exact or (bool(ends) and name.endswith(ends))


def _host_of(scope: Scope) -> str:
    """The name without its port; empty when the header is missing or there twice."""
    given = Headers(scope=scope).getlist("host")
    if len(given) != 1:
        return ""
    host = given[0].lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
