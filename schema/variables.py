"""How many objects the variables of an operation hold: changes when another part of them must be bounded.

Each input object is coerced by itself, in the event loop that all tenants share: a list of a hundred thousand would
hold it for seconds. What is below a scalar (JSON) is taken as it is and costs nothing here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    get_operation_ast,
    is_leaf_type,
    utilities,
)


def too_many_objects(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None,
    variables: Mapping[str, Any],
    maximum: int,
) -> GraphQLError | None:
    """The error for variables that hold more than `maximum` input objects; looks at no more than these."""
    count = 0
    for name, kind in _declared(schema, document, operation_name):
        for _ in _objects(kind, variables.get(name)):
            count += 1
            if count > maximum:
                return _excess(name, maximum)
    return None


def _declared(schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Iterator[tuple[str, object]]:
    operation = get_operation_ast(document, name)
    for definition in operation.variable_definitions or () if operation else ():
        yield definition.variable.name.value, cast("Any", utilities).type_from_ast(schema, definition.type)


def _objects(kind: object, value: object) -> Iterator[None]:
    """One for each input object in the value, in no particular order; a loop, for values nest as deep as they like."""
    work: list[tuple[object, object]] = [(kind, value)]
    while work:
        kind, value = work.pop()
        if isinstance(kind, GraphQLNonNull):
            kind = cast("GraphQLNonNull[Any]", kind).of_type
        if isinstance(kind, GraphQLList) and isinstance(value, Sequence) and not isinstance(value, str):
            inner = cast("GraphQLList[Any]", kind).of_type
            if not is_leaf_type(get_named_type(inner)):
                work += [(inner, element) for element in cast("Sequence[object]", value)]
        elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, Mapping):
            yield
            given = cast("Mapping[str, object]", value)
            for name, field in kind.fields.items():
                if name in given and not is_leaf_type(get_named_type(field.type)):
                    work.append((field.type, given[name]))


def _excess(name: str, maximum: int) -> GraphQLError:
    return GraphQLError(
        f"The variable {name} holds more than {maximum:,} objects",
        extensions={
            "code": "TOO_LARGE",
            "path": ["variables", name],
            "remedy": "Send fewer at a time; split a graph into workflows that start one another.",
        },
    )
