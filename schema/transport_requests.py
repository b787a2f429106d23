"""How an operation is read from an HTTP request: changes when a form of request is added."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any, cast

import orjson
from starlette.requests import Request


class Unreadable(Exception):
    """The request cannot be understood; `status` and `headers` say how that is answered."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    query: str
    variables: dict[str, Any] | None = None
    name: str | None = None
    extensions: dict[str, Any] | None = None


async def read_operation(request: Request, body_limit: int) -> Operation:
    """The operation of a GET's query string or a POST's JSON body. Raises Unreadable."""
    if request.method == "GET":
        return _operation(_parameters(request))
    _require_json(request.headers.get("content-type"), request.headers.get("content-encoding"))
    fields = _parsed("The body", await _body(request, body_limit))
    if isinstance(fields, list):
        raise Unreadable(HTTPStatus.BAD_REQUEST, "Batches are not supported: send one operation for each request")
    if not isinstance(fields, dict):
        raise Unreadable(HTTPStatus.BAD_REQUEST, "The body must be a JSON object")
    return _operation(cast("dict[str, object]", fields))


def _parameters(request: Request) -> dict[str, object]:
    fields: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := request.query_params.get(name):
            fields[name] = _parsed(f"The parameter {name}", text.encode(errors="replace"))
        else:
            fields.pop(name, None)
    return fields


def _require_json(content_type: str | None, encoding: str | None) -> None:
    header = Message()
    header["content-type"] = content_type or ""
    charset = header.get_content_charset("utf-8")
    if content_type is None or header.get_content_type() != "application/json" or charset not in ("utf-8", "utf8"):
        raise Unreadable(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Send the operation as application/json in UTF-8",
            {"Accept": "application/json"},
        )
    if encoding not in (None, "identity"):
        raise Unreadable(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body without a content encoding")


async def _body(request: Request, limit: int) -> bytes:
    too_large = Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may have {limit} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _parsed(name: str, text: bytes) -> object:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        message = f"{name} is not valid UTF-8 at byte {error.start}"
        raise Unreadable(HTTPStatus.BAD_REQUEST, message) from None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(HTTPStatus.BAD_REQUEST, f"{name} is not valid JSON: {error}") from None


def _operation(fields: Mapping[str, object]) -> Operation:
    query, name = fields.get("query"), fields.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise Unreadable(HTTPStatus.BAD_REQUEST, "`query` must be the text of a GraphQL document")
    if name is not None and not isinstance(name, str):
        raise Unreadable(HTTPStatus.BAD_REQUEST, "`operationName` must be a text or null")
    return Operation(
        query=query,
        variables=_object(fields, "variables"),
        name=name or None,
        extensions=_object(fields, "extensions"),
    )


def _object(fields: Mapping[str, object], name: str) -> dict[str, Any] | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise Unreadable(HTTPStatus.BAD_REQUEST, f"`{name}` must be an object or null")
    return cast("dict[str, Any] | None", value)
