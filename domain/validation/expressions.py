"""Every expression of a node's config: where it stands, whether it compiles, which names it reads.

A kind says in its config schema which fields it evaluates itself: `x-expression` is `expression`, `condition` or
`template`, and `x-names` lists the names such a field sees beside the usual ones; `liquid` and `source` mark a text in
another language and `graph` a graph, which are none of this module's. In all other fields the strings may hold `{{ }}`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from domain.conditions import InvalidCondition, expressions_of, parse_condition
from domain.errors import Finding, Severity
from domain.expressions import ROOTS, Expression, ExpressionError, compile_condition, compile_value
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from domain.validation.schemas import alternatives, child, did_you_mean

MARK = "x-expression"
NAMES = "x-names"
_CODE = "BAD_EXPRESSION"
_DEEPEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an expression stands: inside a node, or inside the document when there is no node."""

    node_id: str | None = None
    path: tuple[str, ...]
    names: frozenset[str] = ROOTS


@dataclass(slots=True)
class ExpressionCheck:
    """Collects findings about expressions; `steps` are the ids that `steps.…` may name."""

    steps: Mapping[str, object]
    findings: list[Finding] = field(default_factory=list[Finding])
    _marked: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def config(
        self,
        node_id: str,
        kind: str,
        config: JSONObject,
        schema: JSONObject,
        *,
        within: tuple[str, ...] = (),
        names: frozenset[str] = frozenset(),
    ) -> None:
        """Check a config by its kind's schema. `within`: where it stands in the node; `names`: what else it sees."""
        marked = self._marked.get(kind)
        if marked is None:
            marked = self._marked[kind] = marked_fields(schema)
        for key, value in config.items():
            place = Place(node_id=node_id, path=(*within, "config", key), names=ROOTS | names)
            if key in marked:
                self._described(value, schema, child(schema, [schema], key), place)
            else:
                self.template(value, place)

    def template(self, value: JSON, place: Place) -> None:
        """Check a value whose strings may hold `{{ }}`."""
        try:
            self._names(compile_value(value).expressions, place)
        except ExpressionError as error:
            if isinstance(value, Mapping):
                for key, member in value.items():
                    self.template(member, _below(place, key))
            elif is_list(value):
                for at, member in enumerate(as_list(value)):
                    self.template(member, _below(place, str(at)))
            else:
                self._bad(error.message, error.position, error.remedy, place)

    def condition(self, value: JSON, place: Place) -> None:
        """Check a condition in any of its forms."""
        try:
            self._names(expressions_of(parse_condition(value)), place)
        except InvalidCondition as error:
            for problem in error.problems:
                inside = Place(node_id=place.node_id, path=(*place.path, *problem.path))
                self._bad(problem.message, problem.position, problem.remedy, inside)

    def expression(self, text: str, place: Place) -> None:
        """Check one expression, with or without `{{ }}` around it."""
        try:
            self._names([compile_condition(text)], place)
        except ExpressionError as error:
            self._bad(error.message, error.position, error.remedy, place)

    def _described(self, value: JSON, root: JSONObject, schemas: Sequence[JSONObject], place: Place) -> None:
        mark = next((str(schema[MARK]) for schema in schemas if MARK in schema), None)
        extra = {str(name) for schema in schemas for name in as_list(schema.get(NAMES))}
        place = Place(node_id=place.node_id, path=place.path, names=place.names | extra)
        if mark in ("liquid", "graph", "source"):
            return
        if mark == "expression":
            if isinstance(value, str):
                self.expression(value, place)
        elif mark == "condition":
            self.condition(value, place)
        elif mark == "template" or not (isinstance(value, Mapping) or is_list(value)):
            self.template(value, place)
        elif isinstance(value, Mapping):
            for key, member in value.items():
                self._described(member, root, child(root, schemas, key), _below(place, key))
        else:
            for at, member in enumerate(as_list(value)):
                self._described(member, root, child(root, schemas, at), _below(place, str(at)))

    def _names(self, expressions: Sequence[Expression], place: Place) -> None:
        for expression in expressions:
            for path in sorted(expression.paths):
                if path[0] not in place.names:
                    self._unknown_name(path[0], place)
                elif path[0] == "steps" and len(path) > 1 and path[1] not in self.steps:
                    self._unknown_step(path[1], place)

    def _unknown_name(self, name: str, place: Place) -> None:
        self.findings.append(
            Finding(
                severity=Severity.WARNING,
                code="UNKNOWN_NAME",
                message=f"The name {name[:80]!r} is not defined here",
                node_id=place.node_id,
                path=place.path,
                remedy=did_you_mean(name, sorted(place.names)),
            )
        )

    def _unknown_step(self, name: str, place: Place) -> None:
        self.findings.append(
            Finding(
                code="UNKNOWN_STEP",
                message=f"'steps.{name[:80]}' refers to a node that is not in the graph",
                node_id=place.node_id,
                path=place.path,
                remedy=did_you_mean(name, self.steps),
            )
        )

    def _bad(self, message: str, position: int | None, remedy: str | None, place: Place) -> None:
        at = f" (character {position + 1})" if position is not None else ""
        self.findings.append(
            Finding(code=_CODE, message=f"{message}{at}", node_id=place.node_id, path=place.path, remedy=remedy)
        )


def _below(place: Place, key: str) -> Place:
    return Place(node_id=place.node_id, path=(*place.path, key), names=place.names)


def marked_fields(schema: JSONObject) -> frozenset[str]:
    """The config fields that a kind evaluates itself, wholly or in part."""
    properties = as_object(schema.get("properties"))
    return frozenset(name for name in properties if any(_marks(schema, child(schema, [schema], name), 0)))


def _marks(root: JSONObject, schemas: Sequence[JSONObject], depth: int) -> Iterator[bool]:
    for schema in schemas:
        if MARK in schema:
            yield True
        if depth < _DEEPEST:
            members = (as_object(schema.get(key)).values() for key in ("properties", "patternProperties"))
            elements = (schema.get(key) for key in ("items", "additionalProperties"))
            for described in (*chain(*members), *elements):
                yield from _marks(root, list(alternatives(root, described)), depth + 1)
