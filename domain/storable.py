"""What user JSON must be so that everything behind us can hold it: size, depth, characters, numbers.

PostgreSQL's json holds neither U+0000 nor half a surrogate pair, JSON has no NaN, whole numbers end at 64 bits in most
languages, and every parser has a depth at which it gives up; refused here, these are the caller's findings and
nobody's crash.
"""

import json
import re
from collections.abc import Mapping, Sequence

from domain.errors import Invalid, TooLarge
from domain.json import JSON, is_list

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
_BEYOND = 2**63

_SUSPECT = re.compile(rb"\\u0000|\\ud[89a-f]|[0-9]{19}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def canonical(value: JSON) -> bytes:
    """One spelling for equal values: sorted keys, no spaces, ASCII. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def checked(value: JSON, *path: str, most: int = MAX_BYTES) -> bytes:
    """The canonical spelling of a value that can be stored; raises Invalid or TooLarge with `path`."""
    if _deeper_than(value, MAX_DEPTH):
        raise TooLarge(
            f"The value is nested more than {MAX_DEPTH} levels deep", path=path, remedy="Give it a flatter shape."
        )
    try:
        written = canonical(value)
    except ValueError as error:
        raise Invalid("The value holds a number that JSON cannot write (NaN or infinity)", path=path) from error
    if len(written) > most:
        raise TooLarge(
            f"The value has {len(written):,} bytes; at most {most:,} are taken",
            path=path,
            remedy="Keep large data elsewhere and pass a reference to it.",
        )
    if _SUSPECT.search(written) and _holds_unstorable(value):
        raise Invalid(
            "The value holds a NUL character, half a surrogate pair or a whole number beyond 64 bits",
            path=path,
            remedy="Remove the character; write the number as text.",
        )
    return written


def checked_text(text: str, *path: str, most: int, least: int = 0) -> str:
    """The text; raises Invalid for a wrong length or a character that cannot be stored."""
    name = path[-1] if path else "text"
    if not least <= len(text) <= most:
        message = f"{name} has {len(text):,} characters; {least} to {most:,} are allowed"
        raise Invalid(message, path=path)
    if _UNSTORABLE.search(text):
        raise Invalid(f"{name} holds a NUL character or half a surrogate pair", path=path)
    return text


def _deeper_than(value: JSON, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [child for container in level for child in _children(container) if _is_container(child)]
        if not level:
            return False
    return True


def _holds_unstorable(value: JSON) -> bool:
    work = [value]
    while work:
        current = work.pop()
        if isinstance(current, str) and _UNSTORABLE.search(current):
            return True
        if isinstance(current, int) and not -_BEYOND <= current < _BEYOND:
            return True
        if isinstance(current, Mapping):
            work.extend(current.keys())
        work.extend(_children(current))
    return False


def _children(value: JSON) -> Sequence[JSON]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return value if is_list(value) and isinstance(value, Sequence) else ()


def _is_container(value: JSON) -> bool:
    return isinstance(value, Mapping) or is_list(value)
