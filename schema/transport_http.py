"""GraphQL over HTTP: changes when the way an operation is answered there changes.

https://graphql.github.io/graphql-over-http/draft/: `application/graphql-response+json` tells a refused operation
by its status, `application/json` stays 200 for it, as older clients expect.
"""

import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Generic

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from domain.errors import Forbidden, QuotaExceeded, Refusal, Unauthenticated
from schema.masking import unexpected
from schema.negotiation import JSON, RESPONSE, STREAM, Answer, negotiate
from schema.payloads import encoded, is_internal, is_refused, payload, retry_after
from schema.transport import Authenticate, C, Clock, TransportSettings, credentials_in, seconds_left, utc_now
from schema.transport_requests import Operation, Unreadable, read_operation
from schema.transport_sse import HEADERS, events

Page = Callable[[Request], Response]


class HTTPTransport(Generic[C]):
    """An ASGI application for the HTTP requests of one route; `page` is shown to browsers that open it."""

    def __init__(
        self,
        schema: Schema,
        authenticate: Authenticate[C],
        settings: TransportSettings | None = None,
        clock: Clock = utc_now,
        page: Page | None = None,
    ) -> None:
        self._schema = schema
        self._authenticate = authenticate
        self._settings = settings or TransportSettings()
        self._clock = clock
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self._page and _opens_page(request):
            return self._page(request)
        answer = negotiate(request.headers.get("accept"))
        media = answer.single or JSON
        try:
            return await self._answer(request, answer)
        except Unreadable as fault:
            return _fault(media, fault)
        except ClientDisconnect:
            raise
        except Exception as error:
            return _failure(media, error)

    async def _answer(self, request: Request, answer: Answer) -> Response:
        if request.method not in ("GET", "POST"):
            raise Unreadable(HTTPStatus.METHOD_NOT_ALLOWED, "Send GET or POST", {"Allow": "GET, POST"})
        if answer.single is None and not answer.stream:
            raise Unreadable(HTTPStatus.NOT_ACCEPTABLE, f"The answer can be {RESPONSE}, {JSON} or {STREAM}")
        session = await self._authenticate(request, credentials_in(request.headers))
        operation = await read_operation(request, self._settings.body_limit)
        if answer.single is None or answer.prefers_stream:
            return await self._stream(request, operation, session)
        try:
            return _result(answer.single, await self._execute(request, operation, session))
        except CannotGetOperationTypeError as error:
            raise Unreadable(HTTPStatus.BAD_REQUEST, error.as_http_error_reason()) from error
        except InvalidOperationTypeError as error:
            if error.args[0] is OperationType.MUTATION:
                raise Unreadable(HTTPStatus.METHOD_NOT_ALLOWED, "Send mutations by POST", {"Allow": "POST"}) from error
            if answer.stream:
                return await self._stream(request, operation, session)
            message = f"Subscribe with `Accept: {STREAM}`, or over a WebSocket"
            raise Unreadable(HTTPStatus.NOT_ACCEPTABLE, message) from error

    async def _execute(self, request: Request, operation: Operation, session: C) -> ExecutionResult:
        return await self._schema.execute(
            operation.query,
            variable_values=operation.variables,
            operation_name=operation.name,
            context_value=session,
            operation_extensions=operation.extensions,
            allowed_operation_types=_allowed(request) - {OperationType.SUBSCRIPTION},
        )

    async def _stream(self, request: Request, operation: Operation, session: C) -> Response:
        results = await self._schema.stream(
            operation.query,
            variable_values=operation.variables,
            operation_name=operation.name,
            context_value=session,
            operation_extensions=operation.extensions,
            allowed_operation_types=_allowed(request),
        )
        stream = events(results, heartbeat=self._settings.heartbeat, seconds=seconds_left(session, self._clock()))
        return StreamingResponse(stream, media_type=STREAM, headers=HEADERS)


def _opens_page(request: Request) -> bool:
    return (
        request.method == "GET"
        and "query" not in request.query_params
        and "text/html" in request.headers.get("accept", "")
    )


def _allowed(request: Request) -> set[OperationType]:
    """A GET changes nothing: it may come from a link, a prefetch or another site's page."""
    every = set(OperationType)
    return every - {OperationType.MUTATION} if request.method == "GET" else every


def _result(media: str, result: ExecutionResult) -> Response:
    status, headers = HTTPStatus.OK, dict[str, str]()
    if is_refused(result):
        seconds = retry_after(result)
        if seconds is not None:
            status, headers["Retry-After"] = HTTPStatus.TOO_MANY_REQUESTS, _whole(seconds)
        elif any(is_internal(error) for error in result.errors or ()):
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        elif media == RESPONSE:
            status = HTTPStatus.BAD_REQUEST
    return _response(media, status, payload(result), headers)


def _fault(media: str, fault: Unreadable) -> Response:
    code = fault.status.name
    error = GraphQLError(fault.message, extensions={"code": code})
    return _response(media, fault.status, {"errors": [error.formatted]}, fault.headers)


def _failure(media: str, error: Exception) -> Response:
    status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, dict[str, str]()
    match error:
        case Unauthenticated():
            status, headers["WWW-Authenticate"] = HTTPStatus.UNAUTHORIZED, "Bearer"
        case Forbidden():
            status = HTTPStatus.FORBIDDEN
        case QuotaExceeded(retry_after=seconds):
            status = HTTPStatus.TOO_MANY_REQUESTS
            if seconds is not None:
                headers["Retry-After"] = _whole(seconds)
        case Refusal():
            status = HTTPStatus.BAD_REQUEST
        case _:
            pass
    return _response(media, status, {"errors": [unexpected(error).formatted]}, headers)


def _whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))


def _response(
    media: str, status: HTTPStatus, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        encoded(body),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        media_type=f"{media}; charset=utf-8",
    )
