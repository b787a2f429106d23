"""Who may read the schema through the API: changes when that rule changes."""

from graphql import DocumentNode, FieldNode, GraphQLError, Visitor, visit

ENTRANCES = frozenset({"__schema", "__type"})  # `__typename` tells nothing that a query has not named itself


class _Entrances(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[FieldNode] = []

    def enter_field(self, node: FieldNode, *_: object) -> None:
        if node.name.value in ENTRANCES:
            self.found.append(node)


def entrances(document: DocumentNode) -> list[FieldNode]:
    """The fields through which the document reads the schema, in fragments too."""
    visitor = _Entrances()
    visit(document, visitor)
    return visitor.found


def denial(nodes: list[FieldNode]) -> GraphQLError:
    return GraphQLError(
        "Introspection is not open to this caller",
        nodes,
        extensions={
            "code": "INTROSPECTION_DENIED",
            "remedy": "Use a role that may introspect, or the published schema.graphql.",
        },
    )
