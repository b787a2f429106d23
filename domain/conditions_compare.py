"""Comparing two values by an operator: nothing is converted, and what does not fit the operator has no answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard, cast
from urllib.parse import urlsplit

from domain.conditions import Operator
from domain.conditions_times import (
    are_open,
    business_hours,
    duration,
    moment,
    shifted,
    weekdays,
    zone,
)
from domain.errors import Invalid
from domain.expressions.errors import OutOfRange
from domain.expressions.functions.moments import Moment, at
from domain.expressions.functions.patterns import weekday_of
from domain.expressions.functions.zones import UTC, Zone
from domain.json import JSON, as_list, as_object, is_list
from domain.patterns import compile_pattern
from domain.validation.models import shown

_LONGEST_ADDRESS: Final = 254
_LONGEST_URL: Final = 2_048
_EMAIL: Final = r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$"


class Undecidable(Exception):
    """The values do not fit the operator; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What dates are seen from: the zone of those without an offset, of weekdays and hours; and the present."""

    zone: Zone = UTC
    now: JSON = None


HERE: Final = View()
"""UTC, and no present."""


def compare(left: JSON, operator: Operator, right: JSON, view: View = HERE) -> bool:
    """Raises Undecidable where the types do not fit the operator."""
    try:
        return _compared(left, operator, right, view)
    except Invalid as error:
        raise Undecidable(error.message) from None
    except OutOfRange as error:
        raise Undecidable(str(error)) from None


def view_of(named: JSON, now: JSON) -> View:
    """The view from a zone of this name, null for UTC. Raises Undecidable."""
    try:
        return View(zone=zone(named) if named is not None else UTC, now=now)
    except Invalid as error:
        raise Undecidable(error.message) from None


def same(left: JSON, right: JSON) -> bool:
    """Equal as JSON: 1 is 1.0, true is not 1, lists and objects by their members."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if is_list(left) and is_list(right):
        ours, theirs = as_list(left), as_list(right)
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def is_number(value: JSON) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compared(left: JSON, operator: Operator, right: JSON, view: View) -> bool:
    match operator:
        case Operator.EQUAL:
            return same(left, right)
        case Operator.UNEQUAL:
            return not same(left, right)
        case Operator.LESS | Operator.LESS_OR_EQUAL | Operator.GREATER | Operator.GREATER_OR_EQUAL:
            return _ordered(left, operator, right)
        case Operator.BETWEEN:
            return _between(left, right, view)
        case Operator.CONTAINS:
            return _contains(left, right, operator)
        case Operator.IN:
            return _contains(right, left, operator)
        case Operator.STARTS_WITH:
            return _text(left, operator).startswith(_text(right, operator))
        case Operator.ENDS_WITH:
            return _text(left, operator).endswith(_text(right, operator))
        case Operator.MATCHES:
            return compile_pattern(_text(right, operator)).search(_text(left, operator)) is not None
        case _ if operator.dated:
            return _timed(left, operator, right, view)
        case _:
            return _is(left, operator)


def _ordered(left: JSON, operator: Operator, right: JSON) -> bool:
    texts = isinstance(left, str) and isinstance(right, str)
    if not texts and not (is_number(left) and is_number(right)):
        raise Undecidable(f"{shown(left)} {operator.value} {shown(right)} compares neither numbers nor texts")
    ours, theirs = cast("tuple[float, float]", (left, right))
    match operator:
        case Operator.LESS:
            return ours < theirs
        case Operator.LESS_OR_EQUAL:
            return ours <= theirs
        case Operator.GREATER:
            return ours > theirs
        case _:
            return ours >= theirs


def _between(left: JSON, right: JSON, view: View) -> bool:
    bounds = as_list(right)
    if len(bounds) != 2:
        raise Undecidable(f"'between' needs a list of two bounds, not {shown(right)}")
    if is_number(left) and all(map(is_number, bounds)):
        low, high = cast("Sequence[float]", bounds)
        return low <= left <= high
    low, value, high = (moment(each, view.zone).ms for each in (bounds[0], left, bounds[1]))
    return low <= value <= high


def _contains(whole: JSON, part: JSON, operator: Operator) -> bool:
    if isinstance(whole, (str, Mapping)):
        return _text(part, operator) in whole
    if is_list(whole):
        return any(same(item, part) for item in as_list(whole))
    raise Undecidable(f"{operator.value!r} looks into a text, a list or an object, not into {shown(whole)}")


def _text(value: JSON, operator: Operator) -> str:
    if isinstance(value, str):
        return value
    raise Undecidable(f"{operator.value!r} needs text, not {shown(value)}")


def _timed(left: JSON, operator: Operator, right: JSON, view: View) -> bool:
    when = moment(left, view.zone)
    match operator:
        case Operator.BEFORE:
            return when.ms < moment(right, view.zone).ms
        case Operator.AFTER:
            return when.ms > moment(right, view.zone).ms
        case Operator.ON_WEEKDAY:
            return weekday_of(at(when.ms, view.zone)) in weekdays(right)
        case Operator.IN_BUSINESS_HOURS:
            return are_open(business_hours(right), when, view.zone)
        case _:
            return _within(when, operator, right, view)


def _within(when: Moment, operator: Operator, right: JSON, view: View) -> bool:
    """At most a duration away from the present, or, with `within`, from another moment."""
    described = as_object(right)
    length = duration(described.get("duration") if described else right)
    start = moment(described.get("of", view.now), view.zone)
    low = start.ms if operator is Operator.WITHIN_NEXT else shifted(start, length, -1, view.zone)
    high = start.ms if operator is Operator.WITHIN_LAST else shifted(start, length, 1, view.zone)
    return low <= when.ms <= high


def _is(value: JSON, operator: Operator) -> bool:
    match operator:
        case Operator.EXISTS:
            return value is not None
        case Operator.IS_NULL:
            return value is None
        case Operator.IS_EMPTY:
            return _is_empty(value)
        case Operator.IS_NOT_EMPTY:
            return not _is_empty(value)
        case Operator.IS_TEXT:
            return isinstance(value, str)
        case Operator.IS_NUMBER:
            return is_number(value)
        case Operator.IS_BOOLEAN:
            return isinstance(value, bool)
        case Operator.IS_LIST:
            return is_list(value)
        case Operator.IS_OBJECT:
            return isinstance(value, Mapping)
        case Operator.IS_DATE:
            return isinstance(value, str) and _reads(value)
        case Operator.IS_EMAIL:
            found = isinstance(value, str) and len(value) <= _LONGEST_ADDRESS and compile_pattern(_EMAIL).search(value)
            return bool(found)
        case _:
            return isinstance(value, str) and _is_url(value)


def _reads(text: str) -> bool:
    try:
        moment(text, UTC)
    except Invalid:
        return False
    return True


def _is_url(text: str) -> bool:
    if len(text) > _LONGEST_URL or any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_empty(value: JSON) -> bool:
    if value is None or isinstance(value, (str, Mapping)) or is_list(value):
        return not value
    raise Undecidable(f"{shown(value)} can be neither empty nor not")
