"""How large a GraphQL document may be: changes when a bound on its form is added or moved.

The form is measured before any rule looks at types, since validation and execution are what a large document
would abuse. Each fragment is measured once, however often it is spread, so measuring is linear in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest values that are allowed; `list_length` is the length assumed where a query names none."""

    tokens: int = 2_000
    depth: int = 16
    nesting: int = 64  # fields, inline fragments and spreads inside each other: bounds our own recursion too
    aliases: int = 100
    root_fields: int = 50
    directives: int = 100
    directives_at_once: int = 4
    cost: int = 10_000
    list_length: int = 10
    objects: int = 30_000  # input objects in the variables of one operation
    documents: int = 256  # how many checked documents are remembered
    query_seconds: float = 30.0
    mutation_seconds: float = 330.0  # a start may wait 300 s for its result


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one selection set holds, fragments counted wherever they are spread.

    `root_fields` are its own fields, without those of fields inside them.
    """

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    root_fields: int = 0
    directives: int = 0
    directives_at_once: int = 0


NOTHING = Size()

MEASURES: Mapping[str, str] = {
    "depth": "levels of fields",
    "nesting": "levels of fields and fragments",
    "aliases": "aliases",
    "root_fields": "fields at its root",
    "directives": "directives",
    "directives_at_once": "directives at one place",
}


def excesses(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """One error for each limit that an operation of the document passes; none when it fits."""
    ruler = _Ruler(fragments_of(document))
    try:
        return [
            _excess(operation, name, found, getattr(limits, name))
            for operation in operations_of(document)
            for name, found in ruler.measures(operation)
            if found > getattr(limits, name)
        ]
    except RecursionError:
        message = "The fragments are spread inside each other too deeply to be measured"
        return [GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": "nesting"})]


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _excess(operation: OperationDefinitionNode, name: str, found: int, maximum: int) -> GraphQLError:
    return GraphQLError(
        f"The operation has {found} {MEASURES[name]}; at most {maximum} are allowed",
        operation,
        extensions={"code": "QUERY_TOO_COMPLEX", "limit": name, "requested": found, "maximum": maximum},
    )


@dataclass(frozen=True, slots=True)
class _Ruler:
    fragments: Mapping[str, FragmentDefinitionNode]
    measured: dict[str, Size] = field(default_factory=dict[str, Size])

    def measures(self, operation: OperationDefinitionNode) -> list[tuple[str, int]]:
        own = len(operation.directives or ())
        crowds = [own, *(len(variable.directives or ()) for variable in operation.variable_definitions or ())]
        size = self._selections(operation.selection_set)
        return [
            ("depth", size.depth),
            ("nesting", size.nesting),
            ("aliases", size.aliases),
            ("root_fields", size.root_fields),
            ("directives", size.directives + sum(crowds)),
            ("directives_at_once", max(size.directives_at_once, *crowds)),
        ]

    def _selections(self, selections: SelectionSetNode) -> Size:
        parts = [self._selection(selection) for selection in selections.selections]
        return Size(
            depth=max((part.depth for part in parts), default=0),
            nesting=1 + max((part.nesting for part in parts), default=0),
            aliases=sum(part.aliases for part in parts),
            root_fields=sum(part.root_fields for part in parts),
            directives=sum(part.directives for part in parts),
            directives_at_once=max((part.directives_at_once for part in parts), default=0),
        )

    def _selection(self, selection: SelectionNode) -> Size:
        match selection:
            case FieldNode(selection_set=inside):
                inner = self._selections(inside) if inside else NOTHING
                depth, aliases, fields = inner.depth + 1, inner.aliases + (selection.alias is not None), 1
            case InlineFragmentNode(selection_set=inside):
                inner = self._selections(inside)
                depth, aliases, fields = inner.depth, inner.aliases, inner.root_fields
            case FragmentSpreadNode(name=name):
                inner = self._fragment(name.value)
                depth, aliases, fields = inner.depth, inner.aliases, inner.root_fields
            case _:
                return NOTHING
        own = len(selection.directives or ())
        return Size(
            depth=depth,
            nesting=inner.nesting,
            aliases=aliases,
            root_fields=fields,
            directives=inner.directives + own,
            directives_at_once=max(inner.directives_at_once, own),
        )

    def _fragment(self, name: str) -> Size:
        if name not in self.measured:
            self.measured[name] = NOTHING  # met again while open: a cycle, which validation refuses
            if definition := self.fragments.get(name):
                self.measured[name] = self._selections(definition.selection_set)
        return self.measured[name]
