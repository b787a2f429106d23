"""Deciding a condition: its result with everything it looked at, or why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, assert_never, cast

from domain.conditions import All, AnyOf, Comparison, Condition, Not, Operator
from domain.engine.outcomes import Failed
from domain.errors import Invalid
from domain.expressions import EvaluationError, Expression, Scope, truthy
from domain.json import JSON, JSONObject, as_list, is_list
from domain.patterns import compile_pattern
from domain.validation.models import shown
from jobs.nodes.base import Services

_MOST_VALUES = 20
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`trace` is JSON for the log: each part that was evaluated, with the values it saw and its result."""

    result: bool
    trace: JSONObject


class ConditionFailed(Exception):
    """A condition is neither true nor false."""

    def as_outcome(self) -> Failed:
        return Failed(
            code="CONDITION_FAILED",
            message=f"The condition could not be decided: {self}",
            retryable=False,
            remedy="Mend the condition, or test first that its values are there and of the right type.",
        )


async def decide(condition: Condition, scope: Scope, services: Services) -> Verdict:
    """Evaluate a condition, `all` and `any` only as far as needed. Raises ConditionFailed."""
    match condition:
        case Expression():
            return await _expression(condition, scope, services)
        case Comparison():
            return await _comparison(condition, scope, services)
        case All(conditions=parts):
            return await _several("all", parts, scope, services, until=False)
        case AnyOf(conditions=parts):
            return await _several("any", parts, scope, services, until=True)
        case Not(condition=part):
            verdict = await decide(part, scope, services)
            return Verdict(result=not verdict.result, trace={"not": verdict.trace, "result": not verdict.result})
        case _:
            assert_never(condition)


async def _several(name: str, parts: Sequence[Condition], scope: Scope, services: Services, *, until: bool) -> Verdict:
    traces: list[JSON] = []
    for part in parts:
        verdict = await decide(part, scope, services)
        traces.append(verdict.trace)
        if verdict.result is until:
            return Verdict(result=until, trace={name: traces, "result": until})
    return Verdict(result=not until, trace={name: traces, "result": not until})


async def _expression(expression: Expression, scope: Scope, services: Services) -> Verdict:
    try:
        value = await services.evaluate(expression, scope)
    except EvaluationError as error:
        raise ConditionFailed(str(error)) from None
    result = truthy(value)
    trace: dict[str, JSON] = {"expression": expression.source.strip(), "result": result}
    if not isinstance(value, bool):
        trace["value"] = preview(value)
    if seen := values_seen(expression, scope):
        trace["values"] = seen
    return Verdict(result=result, trace=trace)


async def _comparison(comparison: Comparison, scope: Scope, services: Services) -> Verdict:
    try:
        left = await services.render(comparison.left, scope)
        right = await services.render(comparison.right, scope)
    except EvaluationError as error:
        raise ConditionFailed(str(error)) from None
    result = compare(left, comparison.operator, right)
    trace: dict[str, JSON] = {"left": preview(left), "op": comparison.operator.value, "result": result}
    if not comparison.operator.unary:
        trace["right"] = preview(right)
    return Verdict(result=result, trace=trace)


def compare(left: JSON, operator: Operator, right: JSON) -> bool:
    """One comparison; nothing is converted: raises ConditionFailed where the types do not fit the operator."""
    match operator:
        case Operator.EQUAL:
            return same(left, right)
        case Operator.UNEQUAL:
            return not same(left, right)
        case Operator.LESS | Operator.LESS_OR_EQUAL | Operator.GREATER | Operator.GREATER_OR_EQUAL:
            return _ordered(left, operator, right)
        case Operator.CONTAINS:
            return _contains(left, right, operator)
        case Operator.IN:
            return _contains(right, left, operator)
        case Operator.STARTS_WITH:
            return _text(left, operator).startswith(_text(right, operator))
        case Operator.ENDS_WITH:
            return _text(left, operator).endswith(_text(right, operator))
        case Operator.MATCHES:
            return _matches(left, right)
        case _:
            return _is(left, operator)


def same(left: JSON, right: JSON) -> bool:
    """Equal as JSON: 1 is 1.0, true is not 1, lists and objects by their members."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if is_list(left) and is_list(right):
        ours, theirs = as_list(left), as_list(right)
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _ordered(left: JSON, operator: Operator, right: JSON) -> bool:
    texts = isinstance(left, str) and isinstance(right, str)
    if not texts and not (is_number(left) and is_number(right)):
        raise ConditionFailed(f"{shown(left)} {operator.value} {shown(right)} compares neither numbers nor texts")
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


def _contains(whole: JSON, part: JSON, operator: Operator) -> bool:
    if isinstance(whole, str):
        return _text(part, operator) in whole
    if isinstance(whole, Mapping):
        return _text(part, operator) in whole
    if is_list(whole):
        return any(same(item, part) for item in as_list(whole))
    raise ConditionFailed(f"{operator.value!r} looks into a text, a list or an object, not into {shown(whole)}")


def _matches(left: JSON, right: JSON) -> bool:
    try:
        pattern = compile_pattern(_text(right, Operator.MATCHES))
    except Invalid as error:
        raise ConditionFailed(error.message) from None
    return pattern.search(_text(left, Operator.MATCHES)) is not None


def _text(value: JSON, operator: Operator) -> str:
    if isinstance(value, str):
        return value
    raise ConditionFailed(f"{operator.value!r} needs text, not {shown(value)}")


def is_number(value: JSON) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
        case _:
            return isinstance(value, Mapping)


def _is_empty(value: JSON) -> bool:
    if value is None or isinstance(value, (str, Mapping)) or is_list(value):
        return not value
    raise ConditionFailed(f"{shown(value)} can be neither empty nor not")


def preview(value: JSON) -> JSON:
    """The value when it is small, else what it is: logs carry decisions, not data."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…"
    if isinstance(value, Mapping):
        small = len(value) <= _MOST_VALUES and all(map(_is_small, value.values()))
        return value if small else f"an object with {len(value)} keys"
    if is_list(value):
        items = as_list(value)
        small = len(items) <= _MOST_VALUES and all(map(_is_small, items))
        return value if small else f"a list of {len(items)}"
    return value


def _is_small(value: JSON) -> bool:
    return len(value) <= _LONGEST_TEXT if isinstance(value, str) else not isinstance(value, (Mapping, list, tuple))


def values_seen(expression: Expression, scope: Scope) -> JSONObject:
    """The values at the paths an expression reads, by path."""
    paths = sorted(expression.paths)[:_MOST_VALUES]
    return {".".join(path): preview(_at(path, scope)) for path in paths}


def _at(path: Sequence[str], scope: Scope) -> JSON:
    value: JSON = scope
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif key.isdecimal() and int(key) < len(as_list(value)):
            value = as_list(value)[int(key)]
        else:
            return None
    return value
