"""The `number` functions: rounding as people do it, sums over lists, numbers read and written."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from math import isfinite, nan
from statistics import median as middle
from typing import Final

from domain.expressions.coercion import SPACE, Value, number_text, to_number
from domain.expressions.errors import OutOfRange
from domain.expressions.functions.lists import same
from domain.expressions.functions.signatures import Items, Key, Number, Text, Whole, function

_MOST_DIGITS: Final = 20
_EXACT: Final = Context(prec=400)


@function("number.round", "To so many digits, halves away from zero.", "number.round(1.005, 2)", 1.01)
def nearest(value: Number, digits: Whole = 0) -> float:
    return _rounded(value, digits, ROUND_HALF_UP)


@function("number.floor", "Downwards to so many digits.", "number.floor(-1.21, 1)", -1.3)
def downwards(value: Number, digits: Whole = 0) -> float:
    return _rounded(value, digits, ROUND_FLOOR)


@function("number.ceil", "Upwards to so many digits.", "number.ceil(1.21, 1)", 1.3)
def upwards(value: Number, digits: Whole = 0) -> float:
    return _rounded(value, digits, ROUND_CEILING)


@function("number.abs", "Without its sign.", "number.abs(-3)", 3)
def magnitude(value: Number) -> float:
    return abs(value)


@function("number.clamp", "The nearest number between two.", "number.clamp(12, 0, 10)", 10)
def clamp(value: Number, low: Number, high: Number) -> float:
    if low > high:
        raise OutOfRange("low is more than high")
    return min(max(value, low), high)


@function("number.sum", "Of the elements or their key; nulls do not count.", 'number.sum([{"p": 2}, {"p": 3}], "p")', 5)
def total(items: Items, key: Key = same) -> float:
    result = 0.0
    for number in _numbers(items, key):
        result += number
    return result


@function("number.avg", "The mean; null of an empty list.", "number.avg([1, 2, 6])", 3)
def mean(items: Items, key: Key = same) -> float | None:
    numbers = _numbers(items, key)
    return total(list(numbers)) / len(numbers) if numbers else None


@function("number.min", "The least; null of an empty list.", "number.min([4, 2, null])", 2)
def least(items: Items, key: Key = same) -> float | None:
    return min(_numbers(items, key), default=None)


@function("number.max", "The greatest; null of an empty list.", "number.max([4, 2, null])", 4)
def greatest(items: Items, key: Key = same) -> float | None:
    return max(_numbers(items, key), default=None)


@function("number.median", "The one in the middle, or the mean of the two.", "number.median([5, 1, 3, 4])", 3.5)
def median(items: Items, key: Key = same) -> float | None:
    numbers = _numbers(items, key)
    return middle(numbers) if numbers else None


@function("number.parse", "Reads a number as JavaScript does; null when it is none.", 'number.parse("1e3")', 1000)
def parse(value: Text) -> Value:
    number = to_number(value) if value.strip(SPACE) else nan
    return number if isfinite(number) else None


@function(
    "number.format",
    "With so many digits, a decimal sign and a sign between thousands.",
    'number.format(1234567.891, 2, ",", ".")',
    "1.234.567,89",
)
def write(value: Number, digits: Whole = 0, decimal: Text = ".", thousands: Text = ",") -> str:
    if not 0 <= digits <= _MOST_DIGITS:
        raise OutOfRange("digits is not between 0 and 20")
    rounded = _quantized(value, digits, ROUND_HALF_UP)
    whole, _, fraction = f"{rounded.copy_abs():f}".partition(".")
    groups = [whole[max(end - 3, 0) : end] for end in range(len(whole), 0, -3)]
    text = thousands.join(reversed(groups)) + (f"{decimal}{fraction}" if digits else "")
    return f"-{text}" if rounded < 0 else text


def _rounded(value: float, digits: int, way: str) -> float:
    if not -_MOST_DIGITS <= digits <= _MOST_DIGITS:
        raise OutOfRange("digits is not between -20 and 20")
    return float(_quantized(value, digits, way))


def _quantized(value: float, digits: int, way: str) -> Decimal:
    """Works on the digits a number is written with: 1.005 is not a bit less than that."""
    return Decimal(number_text(value)).quantize(Decimal(1).scaleb(-digits), way, _EXACT)


def _numbers(items: Items, key: Key) -> list[float]:
    """Raises OutOfRange for an element that is no number."""
    numbers: list[float] = []
    for item in items:
        value = key(item)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers.append(float(value))
        elif value is not None:
            raise OutOfRange("an element is no number")
    return numbers
