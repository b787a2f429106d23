"""Conditions as people write them: an expression, or `all` / `any` / `not` of comparisons; parsed, not evaluated.

A string is one JavaScript expression, with or without `{{ }}` around it. A comparison is `{left, op, right}`, where
both sides are config values that may hold `{{ }}`; one of dates may name a `zone`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from domain import conditions_times as times
from domain.errors import Invalid
from domain.expressions import Expression, ExpressionError, Template, compile_condition, compile_value
from domain.expressions.functions.zones import UTC
from domain.json import JSON, JSONObject, as_object, is_list
from domain.patterns import compile_pattern

MAX_DEPTH = 50


class Operator(StrEnum):
    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    BETWEEN = "between"
    BEFORE = "before"
    AFTER = "after"
    WITHIN = "within"
    WITHIN_LAST = "withinLast"
    WITHIN_NEXT = "withinNext"
    ON_WEEKDAY = "onWeekday"
    IN_BUSINESS_HOURS = "inBusinessHours"
    CONTAINS = "contains"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    IN = "in"
    MATCHES = "matches"
    IS_EMPTY = "isEmpty"
    IS_NOT_EMPTY = "isNotEmpty"
    EXISTS = "exists"
    IS_TEXT = "isText"
    IS_NUMBER = "isNumber"
    IS_BOOLEAN = "isBoolean"
    IS_LIST = "isList"
    IS_OBJECT = "isObject"
    IS_NULL = "isNull"
    IS_DATE = "isDate"
    IS_EMAIL = "isEmail"
    IS_URL = "isUrl"

    @property
    def unary(self) -> bool:
        """Whether it asks about `left` alone."""
        return self.value.startswith("is") or self is Operator.EXISTS

    @property
    def dated(self) -> bool:
        """Whether it is about dates, which are seen from a time zone."""
        return self in _DATED


_WITHIN = (Operator.WITHIN, Operator.WITHIN_LAST, Operator.WITHIN_NEXT)
_DATED = frozenset(
    {
        *(Operator.BETWEEN, Operator.BEFORE, Operator.AFTER, Operator.ON_WEEKDAY, Operator.IN_BUSINESS_HOURS),
        *_WITHIN,
    }
)
_OPERATORS = {operator.value: operator for operator in Operator}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    left: Template
    operator: Operator
    right: Template
    zone: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    condition: "Condition"


Condition = Expression | Comparison | All | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in a condition, at `path` inside it; `position` is the offset in a bad expression."""

    message: str
    path: tuple[str, ...] = ()
    position: int | None = None
    remedy: str | None = None


class InvalidCondition(Invalid):
    """A condition is none; all its problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message, path=problems[0].path, remedy=problems[0].remedy)
        self.problems = tuple(problems)


def parse_condition(value: JSON) -> Condition:
    """Raises InvalidCondition."""
    reader = _Reader()
    condition = reader.condition(value, ())
    if condition is None or reader.problems:
        raise InvalidCondition(reader.problems)
    return condition


def expressions_of(condition: Condition) -> tuple[Expression, ...]:
    """Every expression in it, in order."""
    match condition:
        case Expression():
            return (condition,)
        case Comparison(left=left, right=right, zone=zone):
            return (*left.expressions, *right.expressions, *(zone.expressions if zone else ()))
        case All(conditions=parts) | AnyOf(conditions=parts):
            return tuple(expression for part in parts for expression in expressions_of(part))
        case Not(condition=part):
            return expressions_of(part)


@dataclass(slots=True)
class _Reader:
    problems: list[Problem] = field(default_factory=list[Problem])

    def condition(self, value: JSON, path: tuple[str, ...]) -> Condition | None:
        if len(path) > MAX_DEPTH:
            return self._wrong(f"A condition is nested at most {MAX_DEPTH} levels deep", path)
        if isinstance(value, str):
            try:
                return compile_condition(value)
            except ExpressionError as error:
                return self._bad_expression(error, path)
        if not isinstance(value, Mapping):
            remedy = "Write an expression, {all: […]}, {any: […]}, {not: …} or {left, op, right}."
            return self._wrong("A condition is text or an object", path, remedy)
        return self._object(value, path)

    def _object(self, value: JSONObject, path: tuple[str, ...]) -> Condition | None:
        key = next((key for key in ("all", "any", "not") if key in value), "")
        if key and len(value) > 1:
            return self._wrong(f"{key!r} stands alone in its object", path, "Put the rest into its list.")
        match key:
            case "all" | "any":
                conditions = self._several(value[key], (*path, key))
                if conditions is None:
                    return None
                return All(conditions=conditions) if key == "all" else AnyOf(conditions=conditions)
            case "not":
                condition = self.condition(value[key], (*path, key))
                return None if condition is None else Not(condition=condition)
            case _:
                return self._comparison(value, path)

    def _several(self, parts: JSON, path: tuple[str, ...]) -> tuple[Condition, ...] | None:
        if not is_list(parts) or not parts:
            return self._wrong(f"{path[-1]!r} needs a list of conditions", path)
        items = cast("Sequence[JSON]", parts)
        read = [self.condition(part, (*path, str(at))) for at, part in enumerate(items)]
        conditions = tuple(condition for condition in read if condition is not None)
        return conditions if len(conditions) == len(read) else None

    def _comparison(self, value: JSONObject, path: tuple[str, ...]) -> Comparison | None:
        before = len(self.problems)
        for key in value:
            if key not in ("left", "op", "right", "zone"):
                self._wrong(f"Unknown key {key[:80]!r}", (*path, key), "A comparison has left, op and right.")
        operator = self._operator(value, path)
        if operator is not None and not operator.dated and "zone" in value:
            self._wrong(f"The operator {operator.value} has no time zone", (*path, "zone"), "Leave it out.")
        if "left" not in value:
            self._wrong("'left' is missing", (*path, "left"), "Say what is compared.")
        if operator is not None and operator.unary == ("right" in value):
            what = "takes no 'right'" if operator.unary else "needs a 'right'"
            self._wrong(f"The operator {operator.value} {what}", (*path, "right"))
        left = self._side(value.get("left"), (*path, "left"))
        right = self._side(value.get("right"), (*path, "right"))
        zone = self._side(value["zone"], (*path, "zone")) if "zone" in value else None
        if operator is not None and right is not None and right.constant:
            self._constant(operator, value.get("right"), (*path, "right"))
        if zone is not None and zone.constant:
            self._readable(times.zone, value["zone"], (*path, "zone"))
        if operator is None or left is None or right is None or len(self.problems) > before:
            return None
        return Comparison(left=left, operator=operator, right=right, zone=zone)

    def _operator(self, value: JSONObject, path: tuple[str, ...]) -> Operator | None:
        name = value.get("op")
        operator = _OPERATORS.get(name) if isinstance(name, str) else None
        if operator is not None:
            return operator
        known = ", ".join(_OPERATORS)
        message = "'op' is missing" if "op" not in value else f"Unknown operator {str(name)[:80]!r}"
        return self._wrong(message, (*path, "op"), f"Known: {known}.")

    def _side(self, value: JSON, path: tuple[str, ...]) -> Template | None:
        try:
            return compile_value(value)
        except ExpressionError as error:
            return self._bad_expression(error, (*path, *error.path))

    def _constant(self, operator: Operator, value: JSON, path: tuple[str, ...]) -> None:
        """What can be known of a right side before there are values."""
        match operator:
            case Operator.MATCHES:
                self._readable(_pattern, value, path)
            case Operator.ON_WEEKDAY:
                self._readable(times.weekdays, value, path)
            case Operator.IN_BUSINESS_HOURS:
                self._readable(times.business_hours, value, path)
            case Operator.BEFORE | Operator.AFTER:
                self._readable(lambda each: times.moment(each, UTC), value, path)
            case _ if operator in _WITHIN:
                described = as_object(value)
                self._readable(times.duration, described.get("duration") if described else value, path)
            case _:
                pass

    def _readable(self, read: Callable[[JSON], object], value: JSON, path: tuple[str, ...]) -> None:
        try:
            read(value)
        except Invalid as error:
            self._wrong(error.message, path, error.remedy)

    def _bad_expression(self, error: ExpressionError, path: tuple[str, ...]) -> None:
        problem = Problem(message=error.message, path=path, position=error.position, remedy=error.remedy)
        self.problems.append(problem)

    def _wrong(self, message: str, path: tuple[str, ...], remedy: str | None = None) -> None:
        self.problems.append(Problem(message=message, path=path, remedy=remedy))


def _pattern(value: JSON) -> object:
    if not isinstance(value, str):
        raise Invalid("A regular expression is text")
    return compile_pattern(value)
