"""Deciding a condition: its result with everything it looked at, or why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from domain.conditions import All, AnyOf, Comparison, Condition, Not
from domain.conditions_compare import Undecidable, compare, view_of
from domain.engine.outcomes import Completed, Failed
from domain.expressions import EvaluationError, Expression, Scope, truthy
from domain.expressions.templates import text_of
from domain.json import JSON, JSONObject, as_list, is_list
from jobs.nodes.base import Services

UNCLEAR: Final = "unclear"
"""The output of nodes that are told to go on when a condition has no result."""
_MOST_VALUES = 20
_LONGEST_TEXT = 200
_LONGEST_SOURCE = 500
_MOST_PARTS = 100
_ROOM = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`trace` is JSON for the log: each part that was evaluated, with the values it saw and its result."""

    result: bool
    trace: JSONObject


class ConditionFailed(Exception):
    """A condition is neither true nor false; `trace` is that of a verdict whose result is null."""

    def __init__(self, message: str, trace: JSONObject | None = None) -> None:
        super().__init__(message)
        self.trace: JSONObject = trace if trace is not None else {"result": None, "error": message}

    def as_outcome(self) -> Failed:
        return Failed(
            code="CONDITION_FAILED",
            message=f"The condition could not be decided: {self}",
            retryable=False,
            remedy="Mend the condition, or test first that its values are there and of the right type.",
            details={"decision": self.trace},
        )

    def as_route(self, output: JSON) -> Completed:
        """The way on that is taken instead of a failure."""
        return Completed(output=output, handles=(UNCLEAR,), decision=self.trace)


async def decide(condition: Condition, scope: Scope, services: Services) -> Verdict:
    """Evaluate a condition, `all` and `any` only as far as needed. Raises ConditionFailed."""
    return await Decider(services=services).decide(condition, scope)


@dataclass(slots=True, kw_only=True)
class Decider:
    """Decides conditions whose traces share so many bytes of the log; beyond them parts leave only their results."""

    services: Services
    _room: int = field(default=_ROOM)

    async def decide(self, condition: Condition, scope: Scope) -> Verdict:
        """Raises ConditionFailed."""
        match condition:
            case Expression():
                return await self._expression(condition, scope)
            case Comparison():
                return await self._comparison(condition, scope)
            case All(conditions=parts):
                return await self._several("all", parts, scope, until=False)
            case AnyOf(conditions=parts):
                return await self._several("any", parts, scope, until=True)
            case Not(condition=part):
                return await self._negated(part, scope)
            case _:
                assert_never(condition)

    async def _several(self, name: str, parts: Sequence[Condition], scope: Scope, *, until: bool) -> Verdict:
        traces: list[JSON] = []
        for at, part in enumerate(parts):
            try:
                verdict = await self.decide(part, scope)
            except ConditionFailed as failed:
                raise ConditionFailed(str(failed), _gathered(name, traces, failed.trace, at, None)) from None
            if verdict.result is until:
                return Verdict(result=until, trace=_gathered(name, traces, verdict.trace, at, until))
            if at < _MOST_PARTS - 1:
                traces.append(verdict.trace)
        return Verdict(result=not until, trace=_gathered(name, traces, None, len(parts) - 1, not until))

    async def _negated(self, part: Condition, scope: Scope) -> Verdict:
        try:
            verdict = await self.decide(part, scope)
        except ConditionFailed as failed:
            raise ConditionFailed(str(failed), {"not": failed.trace, "result": None}) from None
        return Verdict(result=not verdict.result, trace={"not": verdict.trace, "result": not verdict.result})

    async def _expression(self, expression: Expression, scope: Scope) -> Verdict:
        source = expression.source.strip()
        trace: dict[str, JSON] = {"expression": f"{source[:_LONGEST_SOURCE]}{'…' if source[_LONGEST_SOURCE:] else ''}"}
        if seen := values_seen(expression, scope):
            trace["values"] = seen
        try:
            value = await self.services.evaluate(expression, scope)
        except EvaluationError as error:
            raise self._failed(str(error), trace) from None
        if not isinstance(value, bool):
            trace["value"] = preview(value)
        return self._verdict(truthy(value), trace)

    async def _comparison(self, comparison: Comparison, scope: Scope) -> Verdict:
        trace: dict[str, JSON] = {"op": comparison.operator.value}
        try:
            left = await self.services.render(comparison.left, scope)
            trace["left"] = preview(left)
            right = await self.services.render(comparison.right, scope)
            if not comparison.operator.unary:
                trace["right"] = preview(right)
            zone = None
            if comparison.zone is not None:
                zone = trace["zone"] = await self.services.render(comparison.zone, scope)
            result = compare(left, comparison.operator, right, view_of(zone, scope.get("now")))
        except (EvaluationError, Undecidable) as error:
            raise self._failed(str(error), trace) from None
        return self._verdict(result, trace)

    def _verdict(self, result: bool, trace: dict[str, JSON]) -> Verdict:
        return Verdict(result=result, trace=self._kept({**trace, "result": result}))

    def _failed(self, message: str, trace: dict[str, JSON]) -> ConditionFailed:
        return ConditionFailed(message, self._kept({**trace, "result": None, "error": message[:_LONGEST_SOURCE]}))

    def _kept(self, trace: dict[str, JSON]) -> JSONObject:
        self._room -= len(text_of(trace))
        return trace if self._room >= 0 else {"result": trace["result"]}


def _gathered(name: str, traces: Sequence[JSON], last: JSONObject | None, at: int, result: bool | None) -> JSONObject:
    """The trace of `all` or `any`: its first parts and the one that decided, and how many it passed over."""
    parts = [*traces, last] if last is not None else list(traces)
    gathered: dict[str, JSON] = {name: parts, "result": result}
    return {**gathered, "more": at + 1 - len(parts)} if at + 1 > len(parts) else gathered


def preview(value: JSON) -> JSON:
    """The value when it is small, else what it is: logs carry decisions, not data."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…"
    if isinstance(value, Mapping):
        small = len(value) <= _MOST_VALUES and all(map(_is_small, (*value, *value.values())))
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
    return {".".join(path)[:_LONGEST_TEXT]: preview(_at(path, scope)) for path in paths}


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
