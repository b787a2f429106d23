"""Decisions that decide nothing: conditions that are always the same, cases that are never taken."""

import json
from collections.abc import Iterator, Mapping

from domain.conditions import All, AnyOf, Comparison, Condition, Not
from domain.errors import Finding
from domain.expressions import (
    EvaluationError,
    Expression,
    ExpressionError,
    NeedsSandbox,
    compile_condition,
    evaluate,
    truthy,
)
from domain.graphs import Node
from domain.json import JSON, JSONObject, as_list, as_object
from domain.validation.codes import found
from domain.validation.expressions import Place
from domain.validation.views import GraphView

_SWITCH = "switch"


def findings(view: GraphView) -> Iterator[Finding]:
    always = {(place.node_id, place.path): constant_value(condition) for condition, place in view.conditions}
    for condition, place in view.conditions:
        if is_constant(condition) and not _left_by_break(view, place):
            value = always[place.node_id, place.path]
            how = "the same" if value is None else str(value).lower()
            message = f"The condition reads nothing: it is always {how}"
            yield found("CONSTANT_CONDITION", message, node_id=place.node_id, path=place.path)
    for node in view.nodes.values():
        if node.kind == _SWITCH:
            yield from _switch(node, always)


def _left_by_break(view: GraphView, place: Place) -> bool:
    """A loop that goes on for ever until `breakWhen` says otherwise is a way to write it."""
    return place.path == ("config", "condition") and "breakWhen" in view.nodes[place.node_id or ""].config


def is_constant(condition: Condition) -> bool:
    """Whether it reads nothing, so that it is always decided in the same way."""
    match condition:
        case Expression():
            return condition.native and not condition.paths
        case Comparison():
            sides = (condition.left, condition.right, *((condition.zone,) if condition.zone else ()))
            return not condition.operator.dated and all(side.constant for side in sides)
        case All(conditions=parts) | AnyOf(conditions=parts):
            return all(map(is_constant, parts))
        case Not(condition=part):
            return is_constant(part)


def constant_value(condition: Condition) -> bool | None:
    """What a constant condition comes to; None for one that is not constant, or not seen through."""
    match condition:
        case Expression() if is_constant(condition):
            try:
                return truthy(evaluate(condition, {}))
            except (EvaluationError, NeedsSandbox):
                return None
        case Not(condition=part):
            value = constant_value(part)
            return None if value is None else not value
        case All(conditions=parts) | AnyOf(conditions=parts):
            values = list(map(constant_value, parts))
            decisive = isinstance(condition, AnyOf)
            if decisive in values:
                return decisive
            return None if None in values else not decisive
        case _:
            return None


def _switch(node: Node, always: Mapping[tuple[str | None, tuple[str, ...]], bool | None]) -> Iterator[Finding]:
    if _reads_nothing(node.config.get("expression")):
        message = "What the cases compare with reads nothing: it is always the same"
        yield found("CONSTANT_CONDITION", message, node_id=node.id, path=("config", "expression"))
    if node.config.get("mode", "first") != "first":
        return
    taken: dict[str, str] = {}
    last: str | None = None
    for at, each in enumerate(as_list(node.config.get("cases"))):
        case, path = as_object(each), ("config", "cases", str(at))
        name, asked = str(case.get("name"))[:64], _asked(case)
        above = last or taken.get(asked)
        if above is not None:
            why = "is always taken" if last else "asks for the same"
            message = f"The case {name!r} is never taken: {above!r} above it {why}"
            yield found("UNREACHABLE_CASE", message, node_id=node.id, path=path)
        taken.setdefault(asked, name)
        if last is None and always.get((node.id, (*path, "when"))):
            last = name


def _asked(case: JSONObject) -> str:
    return json.dumps([case.get("equals"), case.get("when")], sort_keys=True, default=str)


def _reads_nothing(text: JSON) -> bool:
    try:
        return isinstance(text, str) and is_constant(compile_condition(text))
    except ExpressionError:
        return False
