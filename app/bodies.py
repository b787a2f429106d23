"""Request bodies as JSON values: changes when another media type is understood."""

from typing import cast
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from domain.errors import Invalid, TooLarge
from domain.json import JSON
from domain.storable import checked

_MOST_FIELDS = 1_000


async def read_body(request: Request, *, limit: int) -> JSON:
    """The parsed JSON or form, else the text; None for an empty body.

    Raises TooLarge beyond `limit` bytes or too deep, Invalid for a body that is not what its content type says or
    holds what cannot be stored.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise TooLarge(f"The body has more than {limit:,} bytes", path=("body",))
    if not received:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    value = _parsed(kind, bytes(received))
    checked(value, "body")
    return value


def _parsed(kind: str, raw: bytes) -> JSON:
    text = _text(raw)
    if kind == "application/x-www-form-urlencoded":
        return dict(_pairs(text))
    if kind == "application/json" or kind.endswith("+json"):
        return _json(raw)
    return text


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        message = f"The body is no UTF-8: byte {error.start} is wrong"
        raise Invalid(message, path=("body",), remedy="Encode it as UTF-8.") from error


def _json(raw: bytes) -> JSON:
    try:
        return cast("JSON", orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        message = f"The body is no JSON: {error}"
        raise Invalid(message, path=("body",), remedy="Send JSON, or say another Content-Type.") from error


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Invalid(f"The form has more than {_MOST_FIELDS:,} fields", path=("body",)) from error
