"""The one file in an upload's body, as it streams in: the body itself, or the first file of a multipart form."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from domain.errors import Invalid

_MOST_BEFORE = 64 * 1024
"""Bytes of a form that may come before its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`name` is as the client gave it."""

    name: str
    media_type: str | None
    chunks: AsyncIterator[bytes]


async def read_upload(request: Request) -> Upload:
    """Of a raw body the name is in `?name=` or the Content-Disposition. Raises Invalid for a form without a file."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise _broken("its Content-Type has no boundary")
        return await _first_file(boundary, request.stream())
    _, disposition = parse_options_header(request.headers.get("content-disposition"))
    name = request.query_params.get("name") or _text(disposition.get(b"filename"))
    return Upload(name=name, media_type=request.headers.get("content-type"), chunks=request.stream())


async def _first_file(boundary: bytes, body: AsyncIterator[bytes]) -> Upload:
    try:
        form = _Form(boundary)
    except FormParserError as error:
        raise _broken(str(error)) from error
    before = 0
    while form.headers is None:
        chunk = await anext(body, None)
        if chunk is None or before > _MOST_BEFORE:
            raise Invalid("The form has no file", path=("body",), remedy="Send one part with a filename, and first.")
        before += len(chunk)
        form.take(chunk)
    _, disposition = parse_options_header(form.headers.get("content-disposition"))
    return Upload(
        name=_text(disposition.get(b"filename")),
        media_type=_text(form.headers.get("content-type")) or None,
        chunks=_contents(form, body),
    )


async def _contents(form: "_Form", body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The file's bytes; what comes after it is passed over. Raises Invalid when it is not whole."""
    while True:
        while form.parts:
            yield form.parts.popleft()
        chunk = await anext(body, None)
        if chunk is None:
            break
        form.take(chunk)
    if not form.whole:
        raise _broken("it ends in the middle of the file")


@dataclass
class _Form:
    """Takes the body piece by piece and keeps what belongs to the first part that has a filename."""

    boundary: bytes
    headers: dict[str, bytes] | None = None
    parts: deque[bytes] = field(default_factory=deque[bytes])
    whole: bool = False
    _current: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _name: bytes = b""
    _value: bytes = b""
    _within: bool = False

    def __post_init__(self) -> None:
        self._parser = MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._current.clear,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
            },
        )

    def take(self, chunk: bytes) -> None:
        """Raises Invalid for what is no form."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _broken(str(error)) from error

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._current[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        _, disposition = parse_options_header(self._current.get("content-disposition"))
        if self.headers is None and b"filename" in disposition:
            self.headers = dict(self._current)
            self._within = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._within:
            self.parts.append(data[start:end])

    def _part_end(self) -> None:
        if self._within:
            self._within, self.whole = False, True


def _text(given: bytes | None) -> str:
    return (given or b"").decode(errors="replace")


def _broken(why: str) -> Invalid:
    return Invalid(
        f"The form cannot be read: {why}", path=("body",), remedy="Send multipart/form-data as RFC 7578 says."
    )
