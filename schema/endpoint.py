"""The one route of the API: changes when a transport is added to it."""

from typing import Generic

from starlette.types import Receive, Scope, Send

from schema.protection import ProtectedSchema
from schema.transport import Authenticate, C, Clock, TransportSettings, utc_now
from schema.transport_http import HTTPTransport, Page
from schema.transport_ws import WebSocketTransport


class GraphQLEndpoint(Generic[C]):
    """An ASGI application: serve it by `Route` and `WebSocketRoute` of the same path."""

    def __init__(
        self,
        schema: ProtectedSchema,
        authenticate: Authenticate[C],
        *,
        settings: TransportSettings | None = None,
        clock: Clock = utc_now,
        page: Page | None = None,
    ) -> None:
        self._http = HTTPTransport(schema, authenticate, settings, clock, page)
        self._websocket = WebSocketTransport(schema, authenticate, settings, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = self._websocket if scope["type"] == "websocket" else self._http
        await transport(scope, receive, send)
