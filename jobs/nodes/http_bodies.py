"""The body of a request: from a config's value to bytes, and to the content-type that says what they are."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import urlencode

import orjson

from domain.errors import InvalidId
from domain.expressions.templates import text_of
from domain.files import OCTETS, FileRef, Files, referenced
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from jobs.nodes import xml_values
from jobs.outgoing import StreamedContent

BodyType = Literal["auto", "json", "form", "multipart", "xml", "text", "binary", "none"]
Content = bytes | StreamedContent
HaveFiles = Callable[[], Files]
"""The tenant's files, asked for only where a body has any."""
FORM = "application/x-www-form-urlencoded"


class WrongBody(Exception):
    """The body's value cannot be written as its type; `remedy` says what can."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


async def written(body: JSON, body_type: BodyType, headers: dict[str, str], files: HaveFiles) -> Content | None:
    """The content; sets the content-type in `headers`, unless one is there. Raises WrongBody, NotFound for a file."""
    if body is None or body_type == "none":
        return None
    try:
        match body_type if body_type != "auto" else _type_of(body, headers.get("content-type")):
            case "json":
                headers.setdefault("content-type", "application/json")
                return orjson.dumps(body)
            case "form":
                headers.setdefault("content-type", FORM)
                return encoded(body).encode() if isinstance(body, Mapping) else text_of(body).encode()
            case "xml":
                headers.setdefault("content-type", "application/xml")
                return text_of(body).encode() if isinstance(body, str) else xml_values.written(as_object(body))
            case "multipart":
                return await _multipart(body, headers, files)
            case "binary":
                return await _file(body, headers, files)
            case _:
                headers.setdefault("content-type", "text/plain; charset=utf-8")
                return text_of(body).encode()
    except InvalidId as error:
        raise WrongBody(error.message, error.remedy) from None
    except (TypeError, ValueError) as error:
        raise WrongBody(f"The body cannot be written: {error}") from None


def encoded(members: JSONObject) -> str:
    """Names and values of a form or query; a list gives several, null none."""
    pairs = [
        (name, text_of(each))
        for name, value in members.items()
        for each in (as_list(value) if is_list(value) else [value])
        if each is not None
    ]
    return urlencode(pairs)


def is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _type_of(body: JSON, content_type: str | None) -> str:
    kind = (content_type or "").partition(";")[0].strip().lower()
    if referenced(body) is not None and not is_json(kind):
        return "binary"
    if kind == FORM:
        return "form"
    if kind == "multipart/form-data":
        return "multipart"
    return "json" if not kind or is_json(kind) else "text"


async def _file(body: JSON, headers: dict[str, str], files: HaveFiles) -> StreamedContent:
    file_id = referenced(body)
    if file_id is None:
        raise WrongBody("A binary body is a file", "Give a file reference, such as the output of an earlier step.")
    ref, chunks = await files().open(file_id)
    headers.setdefault("content-type", ref.media_type)
    return _streamed([_Opened(ref, chunks, files())])


async def _multipart(body: JSON, headers: dict[str, str], files: HaveFiles) -> Content:
    if not isinstance(body, Mapping):
        raise WrongBody("A multipart body is an object", "Give its fields by name; a file reference becomes a file.")
    boundary = f"weir-{secrets.token_hex(16)}"  # nothing that is sent can foresee it
    pieces: list[bytes | _Opened] = []
    for name, value in body.items():
        for each in as_list(value) if is_list(value) else [value]:
            if each is not None:
                pieces += [f"--{boundary}\r\n".encode(), *await _part(name, each, files), b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    headers["content-type"] = f"multipart/form-data; boundary={boundary}"
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return _streamed(pieces)


async def _part(name: str, value: JSON, files: HaveFiles) -> Sequence["bytes | _Opened"]:
    """A field's header and contents (RFC 7578)."""
    disposition = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    file_id = referenced(value)
    if file_id is not None:
        ref, chunks = await files().open(file_id)
        head = f'{disposition}; filename="{_quoted(ref.name)}"\r\nContent-Type: {ref.media_type or OCTETS}\r\n\r\n'
        return [head.encode(), _Opened(ref, chunks, files())]
    if isinstance(value, Mapping) or is_list(value):
        return [f"{disposition}\r\nContent-Type: application/json\r\n\r\n".encode(), orjson.dumps(value)]
    return [f"{disposition}\r\n\r\n{text_of(value)}".encode()]


def _quoted(text: str) -> str:
    """As browsers write names into a form (the HTML standard, "multipart/form-data encoding algorithm")."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


class _Opened:
    """A file that was opened to know what it is; its bytes are read once from there, then from a new opening."""

    def __init__(self, ref: FileRef, chunks: AsyncIterator[bytes], files: Files) -> None:
        self.ref = ref
        self._chunks: AsyncIterator[bytes] | None = chunks
        self._files = files

    async def chunks(self) -> AsyncIterator[bytes]:
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            _, chunks = await self._files.open(self.ref.id)
        async for chunk in chunks:
            yield chunk


def _streamed(pieces: Sequence[bytes | _Opened]) -> StreamedContent:
    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                async for chunk in piece.chunks():
                    yield chunk

    length = sum(len(piece) if isinstance(piece, bytes) else piece.ref.size for piece in pieces)
    return StreamedContent(length=length, open=content)
