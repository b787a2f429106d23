"""Request bodies as JSON values: changes when another media type is understood."""

from typing import cast
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from domain.errors import Invalid, TooLarge
from domain.json import JSON


async def read_body(request: Request, *, limit: int) -> JSON:
    """The parsed JSON or form, else the text; None for an empty body.

    Raises TooLarge beyond `limit` bytes and Invalid for a body that is not what its content type says.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise TooLarge(f"The body has more than {limit:,} bytes", path=("body",))
    if not received:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = _text(bytes(received))
    if kind == "application/x-www-form-urlencoded":
        return dict(_pairs(text))
    if kind == "application/json" or kind.endswith("+json"):
        return _json(bytes(received))
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
    return parse_qsl(text, keep_blank_values=True, max_num_fields=1_000)
