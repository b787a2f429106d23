"""What goes into a function and out of it: arguments made plain JSON within bounds, members in order, JSON as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring  # quotes a string as JSON.stringify does, in C
from math import isfinite
from typing import Final, cast

from domain.expressions.coercion import MAX_TEXT, UNDEFINED, Value, number_text, too_long, well_formed
from domain.expressions.errors import EvaluationError, NeedsSandbox
from domain.json import JSON, as_list, is_list

MAX_VALUES: Final = 2_000
MAX_CHARACTERS: Final = 65_536
"""Arguments that hold more go to the sandbox, where the clock runs."""
MAX_DEPTH: Final = 100
_SAFE: Final = 2**53
_LARGEST_INDEX: Final = 2**32 - 2


@dataclass(slots=True)
class _Room:
    values: int = MAX_VALUES
    characters: int = MAX_CHARACTERS


def plain(arguments: Sequence[Value]) -> list[JSON]:
    """Copies as JavaScript would hold them: numbers are doubles (whole ones ints), no undefined, no half characters.

    Raises NeedsSandbox for more than MAX_VALUES values or MAX_CHARACTERS characters, EvaluationError for nesting
    deeper than MAX_DEPTH.
    """
    room = _Room()
    return [_plain(argument, room, 0) for argument in arguments]


def _plain(value: Value, room: _Room, depth: int) -> JSON:
    room.values -= 1
    if isinstance(value, str):
        room.characters -= len(value)
    if room.values < 0 or room.characters < 0:
        raise NeedsSandbox("Values this large are worked on in the sandbox only")
    if value is None or value is UNDEFINED or isinstance(value, bool):
        return None if value is UNDEFINED else value
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, (int, float)):
        return plain_number(value)
    if depth == MAX_DEPTH:
        raise EvaluationError("RangeError: the value is nested too deep")
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Value]", value).items()
        return {_key(key, room): _plain(item, room, depth + 1) for key, item in members if item is not UNDEFINED}
    return [_plain(item, room, depth + 1) for item in cast("Sequence[Value]", value)]


def _key(key: str, room: _Room) -> str:
    room.characters -= len(key)
    return well_formed(key)


def plain_number(number: float) -> JSON:
    """A double as JSON: whole ones as ints, what is no number as null."""
    if isinstance(number, int) and -_SAFE < number < _SAFE:
        return number
    try:
        number = float(number)
    except OverflowError:
        return None
    if not isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < _SAFE else number


def shown(value: JSON) -> str:
    """A value in an error message: scalars but for text whole, the others by kind."""
    match value:
        case str():
            return "text"
        case None | bool() | int() | float():
            return scalar(value)
        case Mapping():
            return "an object"
        case _:
            return "a list"


def scalar(value: bool | float | None) -> str:
    if value is None:
        return "null"
    return ("true" if value else "false") if isinstance(value, bool) else number_text(value)


def ordered(value: Mapping[str, JSON]) -> list[str]:
    """The keys as JavaScript lists them: array indices in ascending order, then the others as they were added."""
    indices = [key for key in value if _is_index(key)]
    return [*sorted(indices, key=int), *(key for key in value if not _is_index(key))] if indices else list(value)


def _is_index(key: str) -> bool:
    digits = len(key) <= 10 and key.isascii() and key.isdigit()
    return digits and (key == "0" or key[0] != "0") and int(key) <= _LARGEST_INDEX


def as_text(value: JSON) -> str:
    """A text itself, of anything else its JSON."""
    return value if isinstance(value, str) else written(value)


def written(value: JSON, indent: int = 0) -> str:
    """JSON as JSON.stringify writes it. Raises EvaluationError beyond 1,048,576 characters."""
    parts: list[str] = []
    room = MAX_TEXT
    for part in _parts(value, "\n" if indent else "", " " * indent):
        room -= len(part)
        if room < 0:
            raise too_long()
        parts.append(part)
    return "".join(parts)


def _parts(value: JSON, line: str, step: str) -> Iterator[str]:
    """`line` is the line break with the indentation of the value's own line, or nothing."""
    inner = f"{line}{step}" if line else ""
    if isinstance(value, str):
        yield encode_basestring(value)
    elif isinstance(value, Mapping):
        for at, key in enumerate(ordered(value)):
            yield f"{',' if at else '{'}{inner}{encode_basestring(key)}:{' ' if line else ''}"
            yield from _parts(value[key], inner, step)
        yield f"{line}}}" if value else "{}"
    elif is_list(value):
        items = as_list(value)
        for at, item in enumerate(items):
            yield f"{',' if at else '['}{inner}"
            yield from _parts(item, inner, step)
        yield f"{line}]" if items else "[]"
    else:
        yield scalar(cast("bool | float | None", value))


def found(value: JSON, path: Sequence[str]) -> JSON:
    """What is at a path of keys and positions; null where it leads nowhere."""
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif is_list(value) and _is_index(key) and int(key) < len(as_list(value)):
            value = as_list(value)[int(key)]
        else:
            return None
    return value
