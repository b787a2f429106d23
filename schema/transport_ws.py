"""GraphQL over WebSocket (graphql-transport-ws): changes when the life of a connection changes.

Strawberry's own handler ends a socket, and with it every other subscription on it, for a mere syntax error in
one operation, and breaks on messages that are no objects; so the conversation is kept here, on `Schema.stream`.
"""

import asyncio
from asyncio import Task, Timeout
from collections.abc import Mapping
from contextlib import aclosing
from typing import Generic, assert_never

from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry import Schema
from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin
from strawberry.types import ExecutionResult

from domain.errors import QuotaExceeded, Refusal, Unauthenticated
from schema.cohorts import written
from schema.masking import unexpected
from schema.payloads import encoded, is_refused
from schema.transport import Authenticate, C, Clock, TransportSettings, credentials_in, seconds_left, utc_now
from schema.transport_messages import Complete, ConnectionInit, Ping, Pong, Subscribe, Violation, next_head, read

PROTOCOL = "graphql-transport-ws"
REASON_BYTES = 123  # what a close frame can carry


class WebSocketTransport(Generic[C]):
    """An ASGI application for the WebSockets of one route."""

    def __init__(
        self,
        schema: Schema,
        authenticate: Authenticate[C],
        settings: TransportSettings | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._schema = schema
        self._authenticate = authenticate
        self._settings = settings or TransportSettings()
        self._clock = clock
        self._origins = normalize_allowed_origins(self._settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not self._may_open(socket.headers.get("origin"), socket.headers.get("host")):
            await socket.close(1008)  # not accepted yet: answers the handshake with 403
            return
        if PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(subprotocol=PROTOCOL)
        await Conversation(socket, self._schema, self._authenticate, self._settings, self._clock).run()

    def _may_open(self, origin: str | None, host: str | None) -> bool:
        """Browsers name the page's origin and attach its cookies; other programs name none and are let through."""
        if origin is None or "*" in self._origins or is_same_origin(origin, host):
            return True
        return normalize_origin(origin) in self._origins


class Conversation(Generic[C]):
    """One accepted socket, from `connection_init` to its close."""

    def __init__(
        self,
        socket: WebSocket,
        schema: Schema,
        authenticate: Authenticate[C],
        settings: TransportSettings,
        clock: Clock,
    ) -> None:
        self._socket = socket
        self._schema = schema
        self._authenticate = authenticate
        self._settings = settings
        self._clock = clock
        self._greeted = False
        self._session: C | None = None
        self._operations: dict[str, Task[None]] = {}

    async def run(self) -> None:
        try:
            async with asyncio.timeout(self._settings.init_timeout) as deadline:
                while True:
                    await self._take(await self._next_text(), deadline)
        except TimeoutError:
            await self._time_out()
        except Violation as violation:
            await self._close(violation.code, violation.reason)
        except WebSocketDisconnect:
            pass
        finally:
            await self._end_operations()

    async def _next_text(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        text: str | None = message.get("text")
        if text is None:
            raise Violation(4400, "A message must be text")
        if len(text) > self._settings.message_limit:
            raise Violation(1009, f"A message may have {self._settings.message_limit} characters")
        return text

    async def _take(self, text: str, deadline: Timeout) -> None:
        message = read(text)
        match message:
            case ConnectionInit(payload=greeting):
                await self._greet(greeting, deadline)
            case Ping(payload=echo):
                await self._send({"type": "pong"} if echo is None else {"type": "pong", "payload": echo})
            case Pong():
                pass
            case Subscribe() as request:
                await self._subscribe(request)
            case Complete(id=operation_id):
                if task := self._operations.pop(operation_id, None):
                    task.cancel()
            case _:
                assert_never(message)

    async def _greet(self, greeting: Mapping[str, object], deadline: Timeout) -> None:
        if self._greeted:
            raise Violation(4429, "Too many initialisation requests")
        self._greeted = True
        self._session = await self._admitted(greeting)
        left = seconds_left(self._session, self._clock())
        deadline.reschedule(None if left is None else asyncio.get_running_loop().time() + left)
        await self._send({"type": "connection_ack"})

    async def _admitted(self, greeting: Mapping[str, object]) -> C:
        told = {name.lower(): value for name, value in greeting.items() if isinstance(value, str)}
        credentials: str | None = None
        try:
            credentials = credentials_in({**self._socket.headers, **told})
            return await self._authenticate(self._socket, credentials)
        except Unauthenticated as refusal:
            raise Violation(4401 if credentials is None else 4403, refusal.message) from refusal
        except QuotaExceeded as refusal:
            raise Violation(1013, refusal.message) from refusal  # clients try again later
        except Refusal as refusal:
            raise Violation(4403, refusal.message) from refusal
        except WebSocketDisconnect:
            raise
        except Exception as error:
            raise Violation(1011, unexpected(error).message) from error

    async def _subscribe(self, request: Subscribe) -> None:
        if self._session is None:
            raise Violation(4401, "Unauthorized")
        if request.id in self._operations:
            raise Violation(4409, f"Subscriber for {request.id} already exists")
        if len(self._operations) >= self._settings.operations_per_connection:
            await self._refuse(request.id, [_too_many(self._settings.operations_per_connection)])
            return
        self._operations[request.id] = asyncio.create_task(self._operate(request, self._session.renewed()))

    async def _operate(self, request: Subscribe, context: C) -> None:
        head = next_head(request.id)
        try:
            results = await self._schema.stream(
                request.query,
                variable_values=dict(request.variables) if request.variables is not None else None,
                operation_name=request.operation_name,
                context_value=context,
                operation_extensions=dict(request.extensions) if request.extensions is not None else None,
            )
            async with aclosing(results):
                async for result in results:
                    if not isinstance(result, ExecutionResult):
                        raise TypeError("Incremental delivery has no form in graphql-transport-ws")
                    if is_refused(result):
                        self._operations.pop(request.id, None)
                        await self._refuse(request.id, result.errors or [])
                        return
                    await self._send_text(f"{head}{written(result)}}}")
            # Forgotten before the last message leaves: the client may use the id again at once.
            self._operations.pop(request.id, None)
            await self._send({"id": request.id, "type": "complete"})
        except WebSocketDisconnect:
            pass
        except Exception as error:
            self._operations.pop(request.id, None)
            await self._refuse(request.id, [unexpected(error)])

    async def _refuse(self, operation_id: str, errors: list[GraphQLError]) -> None:
        shown = [error.formatted for error in errors]
        await self._send({"id": operation_id, "type": "error", "payload": shown})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._send_text(encoded(message).decode())

    async def _send_text(self, text: str) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        await self._socket.send_text(text)

    async def _time_out(self) -> None:
        if self._session is None:
            await self._close(4408, "Connection initialisation timeout")
        else:
            await self._close(4403, "Token expired")

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            cut = reason.encode()[:REASON_BYTES].decode(errors="ignore")
            await self._socket.close(code, cut)

    async def _end_operations(self) -> None:
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _too_many(maximum: int) -> GraphQLError:
    return GraphQLError(
        f"At most {maximum} operations may run on one connection",
        extensions={"code": "TOO_MANY_OPERATIONS", "remedy": "Complete one, or open another connection."},
    )
