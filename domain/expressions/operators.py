"""JavaScript's operators on values: arithmetic, comparison, equality, typeof."""

import math
from collections.abc import Callable
from typing import Final

from domain.expressions.coercion import (
    MAX_TEXT,
    UNDEFINED,
    Value,
    double,
    has_astral,
    is_object,
    joined,
    to_number,
    to_primitive,
    to_text,
    too_long,
    truthy,
    utf16,
)
from domain.expressions.properties import has


def add(left: Value, right: Value) -> Value:
    left, right = to_primitive(left), to_primitive(right)
    if isinstance(left, str) or isinstance(right, str):
        return concatenate(to_text(left), to_text(right))
    return to_number(left) + to_number(right)


def concatenate(left: str, right: str) -> str:
    """Raises EvaluationError when the result passes MAX_TEXT."""
    if len(left) + len(right) > MAX_TEXT:
        raise too_long()
    halves = left and right and "\ud800" <= left[-1] <= "\udbff" and "\udc00" <= right[0] <= "\udfff"
    return left[:-1] + joined(left[-1] + right[0]) + right[1:] if halves else left + right


def subtract(left: Value, right: Value) -> Value:
    return to_number(left) - to_number(right)


def multiply(left: Value, right: Value) -> Value:
    return to_number(left) * to_number(right)


def divide(left: Value, right: Value) -> Value:
    dividend, divisor = to_number(left), to_number(right)
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or dividend != dividend:
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def remainder(left: Value, right: Value) -> Value:
    dividend, divisor = to_number(left), to_number(right)
    if math.isinf(dividend) or divisor == 0:
        return math.nan
    return math.fmod(dividend, divisor)


def power(left: Value, right: Value) -> Value:
    base, exponent = to_number(left), to_number(right)
    if exponent != exponent or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base != 0:
            return math.nan  # a root of a negative number
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def less(left: Value, right: Value) -> Value:
    return _order(left, right) == -1


def at_most(left: Value, right: Value) -> Value:
    return _order(left, right) in (-1, 0)


def greater(left: Value, right: Value) -> Value:
    return _order(left, right) == 1


def at_least(left: Value, right: Value) -> Value:
    return _order(left, right) in (0, 1)


def _order(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 (ECMA-262 7.2.13); None where NaN makes every comparison false."""
    if is_object(left) or is_object(right):
        left, right = to_primitive(left), to_primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        if has_astral(left) or has_astral(right):
            units, others = utf16(left), utf16(right)
            return (units > others) - (units < others)
        return (left > right) - (left < right)
    number, other = to_number(left), to_number(right)
    if number != number or other != other:
        return None
    return (number > other) - (number < other)


def same(left: Value, right: Value) -> Value:
    """`===`: lists and objects are equal only to themselves, numbers as doubles."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return double(left) == double(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is right


def different(left: Value, right: Value) -> Value:
    return not same(left, right)


def equal(left: Value, right: Value) -> Value:
    """`==` (ECMA-262 7.2.14)."""
    left_nullish, right_nullish = left is None or left is UNDEFINED, right is None or right is UNDEFINED
    if left_nullish or right_nullish:
        return left_nullish and right_nullish
    if is_object(left) and is_object(right):
        return left is right
    left, right = to_primitive(left), to_primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left) == to_number(right)


def unequal(left: Value, right: Value) -> Value:
    return not equal(left, right)


def within(left: Value, right: Value) -> Value:
    return has(right, left)


def negate(value: Value) -> Value:
    return -to_number(value)


def plus(value: Value) -> Value:
    return to_number(value)


def invert(value: Value) -> Value:
    return not truthy(value)


def type_of(value: Value) -> Value:
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "object"


BINARY: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder, "**": power,
    "<": less, "<=": at_most, ">": greater, ">=": at_least,
    "==": equal, "!=": unequal, "===": same, "!==": different, "in": within,
}  # fmt: skip
UNARY: Final[dict[str, Callable[[Value], Value]]] = {
    "-": negate, "+": plus, "!": invert, "typeof": type_of,
}  # fmt: skip
