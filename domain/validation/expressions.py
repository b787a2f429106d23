"""Every expression of a graph: where it stands, whether it compiles, which names it reads.

What a kind evaluates itself it marks in its config schema (`domain.validation.fields`). In all other fields the strings
may hold `{{ }}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.conditions import Condition, InvalidCondition, expressions_of, parse_condition
from domain.errors import Finding
from domain.expressions import ROOTS, Expression, ExpressionError, compile_condition, expressions_in
from domain.expressions.templates import MAX_VALUE_DEPTH
from domain.json import JSON, JSONObject, as_list, is_list
from domain.validation.codes import found
from domain.validation.fields import MARK, NAMES, Field, fields_of, marked_fields
from domain.validation.schemas import did_you_mean

__all__ = ["MARK", "NAMES", "ExpressionCheck", "Place", "Use", "marked_fields"]


class Place(NamedTuple):
    """Where an expression stands: inside a node, or inside the document when there is no node.

    `own`: the names it sees beside the usual ones. `config`: how the kind describes the place, in a config.
    """

    path: tuple[str, ...]
    node_id: str | None = None
    own: frozenset[str] = frozenset()
    config: Field | None = None

    def below(self, key: str, config: Field | None = None) -> "Place":
        return Place((*self.path, key), self.node_id, self.own, config)


class Use(NamedTuple):
    """An expression where it is used. `alone`: its value is the value of the whole field, with its type."""

    expression: Expression
    place: Place
    alone: bool = False


@dataclass(slots=True)
class ExpressionCheck:
    """Collects findings about expressions, and all that compile; `steps` are the ids that `steps.…` may name."""

    steps: Mapping[str, object]
    findings: list[Finding] = field(default_factory=list[Finding])
    uses: list[Use] = field(default_factory=list[Use])
    conditions: list[tuple[Condition, Place]] = field(default_factory=list[tuple[Condition, Place]])

    def config(
        self,
        node_id: str,
        config: JSONObject,
        schema: JSONObject,
        *,
        within: tuple[str, ...] = (),
        names: frozenset[str] = frozenset(),
    ) -> None:
        """Check a config by its kind's schema. `within`: where it stands in the node; `names`: what else it sees."""
        fields = fields_of(schema)
        for key, value in config.items():
            described = fields.member(key)
            if not described.raw and _is_plain(value):
                continue
            place = Place((*within, "config", key), node_id, names, described)
            if described.raw:
                self._described(value, described, place)
            else:
                self.template(value, place)

    def template(self, value: JSON, place: Place) -> None:
        """Check a value whose strings may hold `{{ }}`."""
        if isinstance(value, str):
            if "{{" in value:
                self._text(value, place)
        elif self._too_deep(place):
            return
        elif isinstance(value, Mapping):
            for key, member in value.items():
                if not _is_plain(member):
                    self.template(member, place.below(key, place.config.member(key) if place.config else None))
        elif is_list(value):
            for at, member in enumerate(as_list(value)):
                if not _is_plain(member):
                    self.template(member, place.below(str(at), place.config.element() if place.config else None))

    def condition(self, value: JSON, place: Place) -> None:
        """Check a condition in any of its forms."""
        try:
            condition = parse_condition(value)
        except InvalidCondition as error:
            for problem in error.problems:
                inside = place._replace(path=(*place.path, *problem.path))
                self._bad(problem.message, problem.position, problem.remedy, inside)
        else:
            self.conditions.append((condition, place))
            for expression in expressions_of(condition):
                self._use(expression, place)

    def expression(self, text: str, place: Place) -> None:
        """Check one expression, with or without `{{ }}` around it."""
        try:
            self._use(compile_condition(text), place)
        except ExpressionError as error:
            self._bad(error.message, error.position, error.remedy, place)

    def _text(self, text: str, place: Place) -> None:
        try:
            texts, expressions = expressions_in(text)
        except ExpressionError as error:
            self._bad(error.message, error.position, error.remedy, place)
            return
        alone = len(expressions) == 1 and not any(map(str.strip, texts))
        for expression in expressions:
            self._use(expression, place, alone=alone)

    def _described(self, value: JSON, described: Field, place: Place) -> None:
        own = place.own | described.names if described.names else place.own
        place = Place(place.path, place.node_id, own, described)
        match described.mark:
            case "liquid" | "graph" | "source":
                return
            case "expression":
                if isinstance(value, str):
                    self.expression(value, place)
            case "condition":
                self.condition(value, place)
            case "template":
                self.template(value, place)
            case _ if self._too_deep(place):
                return
            case _ if isinstance(value, Mapping):
                for key, member in value.items():
                    inner = described.member(key)
                    self._described(member, inner, place.below(key, inner))
            case _ if is_list(value):
                for at, member in enumerate(as_list(value)):
                    self._described(member, described.element(), place.below(str(at)))
            case _:
                self.template(value, place)

    def _use(self, expression: Expression, place: Place, *, alone: bool = False) -> None:
        self.uses.append(Use(expression, place, alone))
        steps, names = set[str](), set[str]()
        for path in expression.paths:
            root = path[0]
            if root == "steps":
                if len(path) > 1 and path[1] not in self.steps:
                    steps.add(path[1])
            elif root not in ROOTS and root not in place.own:
                names.add(root)
        for name in sorted(names):
            self._unknown_name(name, place)
        for name in sorted(steps):
            self._unknown_step(name, place)

    def _too_deep(self, place: Place) -> bool:
        if len(place.path) <= MAX_VALUE_DEPTH:
            return False
        self._bad("This value is nested too deep", None, None, place)
        return True

    def _unknown_name(self, name: str, place: Place) -> None:
        message, remedy = f"The name {name[:80]!r} is not defined here", did_you_mean(name, sorted(ROOTS | place.own))
        self.findings.append(found("UNKNOWN_NAME", message, node_id=place.node_id, path=place.path, remedy=remedy))

    def _unknown_step(self, name: str, place: Place) -> None:
        message = f"'steps.{name[:80]}' refers to a node that is not in the graph"
        remedy = did_you_mean(name, self.steps)
        self.findings.append(found("UNKNOWN_STEP", message, node_id=place.node_id, path=place.path, remedy=remedy))

    def _bad(self, message: str, position: int | None, remedy: str | None, place: Place) -> None:
        at = f" (character {position + 1})" if position is not None else ""
        text = f"{message}{at}"
        self.findings.append(
            Finding(code="BAD_EXPRESSION", message=text, node_id=place.node_id, path=place.path, remedy=remedy)
        )


def _is_plain(value: JSON) -> bool:
    """Whether no expression can be in it."""
    return "{{" not in value if isinstance(value, str) else value is None or isinstance(value, bool | int | float)
