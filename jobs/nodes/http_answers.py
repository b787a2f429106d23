"""What a node makes of a response: its body as JSON, text, XML or a file, and the error of an unexpected status."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.message import Message
from typing import Literal

import orjson

from domain.engine.outcomes import Failed
from domain.files import media_type
from domain.json import JSON
from jobs.masking import Secrets
from jobs.nodes import xml_values
from jobs.nodes.base import StepContext
from jobs.nodes.calls import RETRYABLE, retry_after
from jobs.nodes.http_bodies import is_json
from jobs.outgoing import OutgoingStream

ResponseType = Literal["auto", "json", "text", "xml", "binary", "none"]

_SHOWN_BODY = 2_000
_TEXTUAL = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)


class WrongResponse(Exception):
    """The body is not what the node was told to read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def read(step: StepContext, stream: OutgoingStream, response_type: ResponseType, secrets: Secrets) -> JSON:
    """Raises WrongResponse, OutgoingError, FileTooLarge, StorageFull, ConnectionError."""
    given = stream.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    as_type = response_type if response_type != "auto" else _type_of(kind)
    if as_type == "none":
        return None
    if as_type == "binary":
        return await _stored(step, stream, secrets, needed=response_type == "binary")
    content = secrets.masked_bytes(await step.services.http.read(stream))
    match as_type:
        case "json" if response_type == "auto" and not content:
            return None
        case "json":
            return _json(content, given)
        case "xml":
            return await _xml(content)
        case _:
            return text(content, stream.encoding)


async def unexpected(stream: OutgoingStream, at: datetime, secrets: Secrets) -> Failed:
    """Of the body only the beginning is read."""
    content = bytearray()
    async for chunk in stream.chunks:
        content += chunk
        if len(content) > 4 * _SHOWN_BODY:  # four bytes a character at most
            break
    body = secrets.masked(text(bytes(content), stream.encoding))
    details: dict[str, JSON] = {
        "status": stream.status,
        "body": body if len(body) <= _SHOWN_BODY else f"{body[:_SHOWN_BODY]}…",
    }
    return Failed(
        code="HTTP_STATUS",
        message=f"The answer has the status {stream.status}",
        retryable=stream.status in RETRYABLE or stream.status >= 500,
        retry_after=retry_after(stream.headers, at),
        remedy="List the status in expect if it is no error, or route the error.",
        details=details,
    )


def text(content: bytes, encoding: str) -> str:
    try:
        decoded = content.decode(encoding, "replace")
    except LookupError:  # the server named an encoding that Python does not know
        decoded = content.decode("utf-8", "replace")
    return decoded.replace("\x00", "\ufffd")


def _type_of(kind: str) -> ResponseType:
    if is_json(kind):
        return "json"
    if not kind or kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXTUAL:
        return "text"
    return "binary"


def _json(content: bytes, kind: str) -> JSON:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise WrongResponse("RESPONSE_NOT_JSON", f"The body, {kind or 'no content-type'}, is no JSON") from None


async def _xml(content: bytes) -> JSON:
    try:
        return await xml_values.parsed(content)
    except xml_values.WrongXml as error:
        raise WrongResponse("RESPONSE_NOT_XML", f"The body is not taken as XML: {error}") from None


async def _stored(step: StepContext, stream: OutgoingStream, secrets: Secrets, *, needed: bool) -> JSON:
    """The reference of the new file; None for an empty body, unless a file was asked for."""
    first = await anext(stream.chunks, b"")
    if not first and not needed:
        return None
    ref = await step.services.files.put(
        secrets.masked(_name(stream.headers, stream.url)),
        media_type(secrets.masked(stream.headers.get("content-type", "")) or None),
        secrets.masked_chunks(_after(first, stream.chunks)),
        execution_id=step.execution_id,
    )
    return ref.as_json()


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _name(headers: Mapping[str, str], url: str) -> str:
    """As the server calls it, else the last part of the address."""
    message = Message()
    message["content-disposition"] = headers.get("content-disposition", "")
    return message.get_filename() or url.rpartition("/")[2]
