"""What of an operation decides how a frame of its subscription is answered: changes when something more does."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    SKIP,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    VisitorAction,
    get_named_type,
    visit,
)

PERSONAL = frozenset({"User", "Viewer"})
"""Types that answer differently to different people of the same permissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is shown of each frame. `personal`: something of it is the subscriber's own."""

    key: Hashable
    personal: bool


def selection_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Sequence[FragmentDefinitionNode],
    variables: dict[str, Any],
    extensions: dict[str, Any] | None,
) -> Selection:
    """The selection of a subscription with these raw variables.

    Two that differ in the arguments of the root field alone have the same: those choose which frames come (from
    which cursor on, say), not how one is shown.
    """
    findings = _Findings(schema)
    visit(DocumentNode(definitions=(operation, *fragments)), TypeInfoVisitor(findings.types, findings))
    used = {name: value for name, value in variables.items() if name in findings.variables}
    told = orjson.dumps([used, extensions], option=orjson.OPT_SORT_KEYS)
    name = operation.name.value if operation.name else None
    return Selection(key=(_text(operation), name, told), personal=findings.personal)


def _text(operation: OperationDefinitionNode) -> str:
    if operation.loc is None:
        raise ValueError("The operation does not say which text it was read from")
    return operation.loc.source.body


class _Findings(Visitor):
    """Which variables are used beyond the arguments of the root field, and whether a personal type is met."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.types = TypeInfo(schema)
        self.variables: set[str] = set()
        self.personal = False
        self._root = schema.subscription_type

    def enter_field(self, *_: object) -> None:
        named = get_named_type(self.types.get_type())  # pyright: ignore[reportUnknownMemberType] -- graphql-core leaves a type parameter open
        met = {named, self.types.get_parent_type()}
        self.personal = self.personal or any(each is not None and each.name in PERSONAL for each in met)

    def enter_argument(self, *_: object) -> VisitorAction:
        at_root = self.types.get_parent_type() is self._root and self.types.get_directive() is None
        return SKIP if at_root else None

    def enter_variable_definition(self, *_: object) -> VisitorAction:
        return SKIP

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.variables.add(node.name.value)
