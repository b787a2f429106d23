"""JSON text to values and back (RFC 8259), stricter than Python's: no NaN, no key twice."""

import json
from typing import NoReturn, cast

from domain.formats.source import Unreadable, check_values, decode, too_deep
from domain.json import JSON


def parse(document: bytes | str) -> JSON:
    """Raises TooLarge for size and nesting, Unreadable with line and column for anything else."""
    text = decode(document)
    try:
        value: JSON = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"Line {error.lineno}, column {error.colno}: {error.msg[:1].lower()}{error.msg[1:]}"
        raise Unreadable(message, remedy="Mend the JSON there.") from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:  # Python's limit on digits, the one ValueError left
        raise Unreadable("A whole number is beyond 64 bits", remedy="Write it as text, in quotes.") from None
    check_values(value)
    return value


def write(value: JSON) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _unique(pairs: list[tuple[str, object]]) -> JSON:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Unreadable(f"The key {key[:80]!r} stands twice in one object", remedy="Remove one of them.")
            seen.add(key)
    return cast("JSON", members)


def _no_constant(text: str) -> NoReturn:
    raise Unreadable(f"{text} is no JSON number", remedy="Use null, or a text.")
