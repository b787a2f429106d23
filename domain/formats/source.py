"""From bytes to text and from parsed values to JSON: the limits every text format shares."""

from collections.abc import Mapping
from math import isfinite

from domain.errors import Invalid, TooLarge
from domain.json import JSON

MAX_BYTES = 20 * 1024 * 1024
MAX_DEPTH = 200
_LARGEST_INTEGER = 2**63


class Unreadable(Invalid):
    """The text cannot be read as a document; the message says at which byte, or line and column."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, path=("document",), remedy=remedy)


def decode(document: bytes | str) -> str:
    """The document's text without a byte order mark.

    Raises TooLarge beyond 20 MiB, Unreadable when it is no UTF-8.
    """
    raw = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    if len(raw) > MAX_BYTES:
        message = f"The document has {len(raw):,} bytes; at most {MAX_BYTES:,} are read"
        raise TooLarge(message, path=("document",), remedy="Split the workflow, or move its data out of it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"Byte {error.start} (0x{raw[error.start]:02x}) is no valid UTF-8"
        raise Unreadable(message, remedy="Save the document as UTF-8.") from None


def too_deep() -> TooLarge:
    return TooLarge(
        f"The document is nested more than {MAX_DEPTH} levels deep",
        path=("document",),
        remedy="Flatten its data.",
    )


def check_values(value: JSON) -> None:
    """Refuse what JSON's grammar allows and no later stage could keep.

    Raises TooLarge for nesting, Unreadable for numbers beyond 64 bits and strings that are no Unicode text or
    hold NUL (PostgreSQL stores neither).
    """
    work: list[tuple[JSON, int]] = [(value, 1)]
    while work:
        item, depth = work.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, Mapping):
            if depth > MAX_DEPTH:
                raise too_deep()
            for key, member in item.items():
                _check_text(key)
                work.append((member, depth + 1))
        elif isinstance(item, list):
            if depth > MAX_DEPTH:
                raise too_deep()
            work += [(member, depth + 1) for member in item]
        elif isinstance(item, float):
            if not isfinite(item):
                raise Unreadable(f"{item} is no JSON number", remedy="Use null, or a text.")
        elif isinstance(item, int) and not -_LARGEST_INTEGER <= item < _LARGEST_INTEGER:
            raise Unreadable("A whole number is beyond 64 bits", remedy="Write it as text, in quotes.")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise Unreadable("A text holds the character NUL (\\u0000)", remedy="Remove it.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Unreadable("A text holds half of a surrogate pair (\\ud800 to \\udfff)", remedy="Remove it.")
