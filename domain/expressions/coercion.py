"""JavaScript's conversions between the types of values: to number, to text, to truth, and back to JSON.

Sections named are those of ECMA-262.
"""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias, cast

from domain.expressions.errors import EvaluationError, NeedsSandbox
from domain.json import JSON


class Undefined(Enum):
    """JavaScript's undefined, which is not null."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED
Value: TypeAlias = "JSON | Undefined"
"""What an expression works on; ints come only from JSON and literals, every result is a double."""

MAX_TEXT: Final = 1_048_576
"""The longest string an expression may make, in characters."""
MAX_JOINED: Final = 1_000
"""Lists with more elements become text in the sandbox only, where time is limited."""
MAX_NUMERAL: Final = 1_000
MAX_ASTRAL: Final = 65_536
"""Strings beyond these lengths are measured and read as numbers in the sandbox only."""

_SAFE: Final = 2**53
SPACE = "\t\n\v\f\r \xa0\ufeff\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_PREFIXED = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class ListLiteral(list[JSON]):
    """A list made by the expression itself: it may hold doubles and undefined, which `to_json` clears away."""


class ObjectLiteral(dict[str, JSON]):
    """An object made by the expression itself, as ListLiteral."""


def type_error(message: str) -> EvaluationError:
    return EvaluationError(f"TypeError: {message}")


def truthy(value: Value) -> bool:
    """JavaScript's truth (7.1.2): false are null, undefined, 0, NaN and the empty string; no list or object is."""
    if value is True or value is False:
        return value
    if value is None or value is UNDEFINED:
        return False
    if isinstance(value, (int, float)):
        return value == value and value != 0
    return not isinstance(value, str) or value != ""


def is_object(value: Value) -> bool:
    """Whether the value is a list or an object."""
    return not isinstance(value, (str, int, float)) and value is not None and value is not UNDEFINED


def double(number: float) -> float:
    """The IEEE double nearest to an int of any size."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def to_number(value: Value) -> float:
    """ToNumber (7.1.4)."""
    if isinstance(value, (int, float)):
        return double(value)
    if value is None:
        return 0.0
    if value is UNDEFINED:
        return math.nan
    return _numeral(value if isinstance(value, str) else to_text(value))


def _numeral(text: str) -> float:
    if len(text) > MAX_NUMERAL:
        raise NeedsSandbox(f"A string of {len(text):,} characters is not read as a number here")
    text = text.strip(SPACE)
    if text == "":
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    return double(int(text, 0)) if _PREFIXED.fullmatch(text) else math.nan


def to_primitive(value: Value) -> Value:
    """ToPrimitive (7.1.1): lists and objects become text, the rest stays."""
    return to_text(value) if is_object(value) else value


def to_text(value: Value) -> str:
    """ToString (7.1.17), for lists their elements joined by commas.

    Raises EvaluationError for an object whose own `toString` hides the inherited one.
    """
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, (int, float)):
        return number_text(value)
    return _container_text(value, [0], 0)


def _container_text(value: Sequence[JSON] | Mapping[str, JSON], seen: list[int], depth: int) -> str:
    if isinstance(value, Mapping):
        if "toString" in value:
            raise type_error("cannot convert object to primitive value")
        return "[object Object]"
    seen[0] += len(value)
    if seen[0] > MAX_JOINED or depth > 100:
        raise NeedsSandbox("A list this large does not become text here")
    parts: list[str] = []
    for item in cast("Sequence[Value]", value):
        if item is None or item is UNDEFINED:
            parts.append("")
        elif isinstance(item, (dict, list)):
            parts.append(_container_text(item, seen, depth + 1))
        else:
            parts.append(to_text(item))
    if sum(map(len, parts)) + len(parts) > MAX_TEXT:
        raise too_long()
    return ",".join(parts)


def too_long() -> EvaluationError:
    return EvaluationError(f"RangeError: an expression makes strings of at most {MAX_TEXT:,} characters")


def number_text(number: float) -> str:
    """Number::toString (6.1.6.1.20) in base 10: the shortest digits that give the double back."""
    if isinstance(number, int) and -_SAFE < number < _SAFE:
        return str(number)
    number = double(number)
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number.is_integer() and abs(number) < _SAFE:
        return str(int(number))
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    all_digits = whole + fraction
    digits = all_digits.lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(all_digits) - len(digits))
    return sign + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    """The digits with the decimal point after the first `point` of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def has_astral(text: str) -> bool:
    """False when every character is one UTF-16 unit; asked of the string's storage, so in constant time."""
    return not text.isascii() and sys.getsizeof(text) >= 4 * len(text)


def utf16(text: str) -> bytes:
    """The UTF-16 units, big-endian, so that bytes compare as JavaScript compares strings."""
    if len(text) > MAX_ASTRAL:
        raise NeedsSandbox(f"A string of {len(text):,} characters with emoji is not measured here")
    return text.encode("utf-16-be", "surrogatepass")


def joined(text: str) -> str:
    """The same UTF-16 units with halves of a pair that met made one character."""
    if text.isascii() or not _LONE_SURROGATE.search(text):
        return text
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")


def well_formed(text: str) -> str:
    """The text with halves of a UTF-16 pair replaced by U+FFFD."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def to_json(value: Value) -> JSON:
    """What leaves an expression: undefined, NaN and the infinities become null, whole doubles become ints.

    Values the expression only passed on keep their identity.
    """
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, float):
        if value.is_integer():
            return int(value) if abs(value) < _SAFE else value
        return value if math.isfinite(value) else None
    if isinstance(value, ListLiteral):
        return [to_json(cast("Value", item)) for item in value]
    if isinstance(value, ObjectLiteral):
        return {key: to_json(cast("Value", item)) for key, item in value.items() if item is not UNDEFINED}
    return None if value is UNDEFINED else value
