"""What the schema lets callers ask, and questions made of it: changes when the way questions are made does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    Undefined,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from schema.root import sdl

_SCHEMA = build_schema(sdl())
_ERRORS = "errors { __typename message code path remedy }"
_EXAMPLES: Mapping[str, object] = {
    "String": "text",
    "Int": 1,
    "Float": 1.0,
    "Boolean": False,
    "JSON": {},
    "DateTime": "2026-11-21T12:00:00Z",
}
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an id is taken: under `path` of the arguments of a field.

    `coordinate` names the argument, as `Query.branch(id:)`, or the input field, as `SplitStartInput.workflowId`.
    """

    operation: str
    field: str
    path: Path
    coordinate: str

    def __str__(self) -> str:
        return f"{self.field}-{'.'.join(map(str, self.path))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    text: str
    variables: Mapping[str, object] = field(default_factory=dict[str, object])


def fields(operation: str) -> Mapping[str, GraphQLField]:
    """Of "Query", "Mutation" or "Subscription"."""
    root = _SCHEMA.get_type(operation)
    assert isinstance(root, GraphQLObjectType)
    return root.fields


def places(operation: str) -> Iterator[Place]:
    """Every place where a field of the operation takes an id, in nested inputs too."""
    for name, each in fields(operation).items():
        for argument, taken in each.args.items():
            coordinate = f"{operation}.{name}({argument}:)"
            for path, found in _ids(taken.type, coordinate, (argument,), ()):
                yield Place(operation=operation, field=name, path=path, coordinate=found)


def question(operation: str, name: str, given: Mapping[str, object], place: Place | None = None) -> Question:
    """Asks the field for all it can tell without arguments; its own arguments are those it needs and those to `place`.

    `given`: values by coordinate; what it does not name gets an example of its type. Raises KeyError for an id.
    """
    asked = fields(operation)[name]
    through = place.path if place is not None else ()
    variables = _arguments(asked.args, lambda argument: f"{operation}.{name}({argument}:)", given, through)
    declared = ", ".join(f"${each}: {asked.args[each].type}" for each in variables)
    passed = ", ".join(f"{each}: ${each}" for each in variables)
    whole = f"it: {name}{f'({passed})' if passed else ''} {_selection(asked.type)}"
    return Question(
        text=f"{operation.lower()} {f'({declared})' if declared else ''} {{ {whole} }}", variables=variables
    )


def _ids(kind: GraphQLInputType, coordinate: str, path: Path, within: Sequence[str]) -> Iterator[tuple[Path, str]]:
    match kind:
        case GraphQLNonNull():
            yield from _ids(kind.of_type, coordinate, path, within)
        case GraphQLList():
            yield from _ids(kind.of_type, coordinate, (*path, 0), within)
        case GraphQLInputObjectType() if kind.name not in within:
            for name, each in kind.fields.items():
                yield from _ids(each.type, f"{kind.name}.{name}", (*path, name), (*within, kind.name))
        case GraphQLScalarType(name="ID"):
            yield path, coordinate
        case _:
            pass


def _arguments(
    taken: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
    coordinate: Callable[[str], str],
    given: Mapping[str, object],
    through: Path,
) -> dict[str, object]:
    """The values of those that are required, given, or on the way to a place."""
    values: dict[str, object] = {}
    for name, each in taken.items():
        there = coordinate(name)
        on_the_way = through[:1] == (name,)
        required = isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined
        if on_the_way or required or (there in given and get_named_type(each.type).name != "ID"):
            values[name] = _value(each.type, there, given, through[1:] if on_the_way else ())
    return values


def _value(kind: GraphQLInputType, coordinate: str, given: Mapping[str, object], through: Path) -> object:
    match kind:
        case GraphQLNonNull():
            return _value(kind.of_type, coordinate, given, through)
        case GraphQLList():
            return [_value(kind.of_type, coordinate, given, through[1:])]
        case _ if coordinate in given and not through:
            return given[coordinate]
        case GraphQLInputObjectType():
            return _arguments(kind.fields, lambda name: f"{kind.name}.{name}", given, through)
        case GraphQLEnumType():
            return next(iter(kind.values))
        case _:
            return _EXAMPLES[get_named_type(kind).name]


def _selection(kind: GraphQLOutputType) -> str:
    """All that is told without arguments; of what has fields of its own, that it is there."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType):
        return "" if is_leaf_type(named) else "{ __typename }"
    return f"{{ {' '.join(_part(name, each) for name, each in named.fields.items() if not _needs(each))} }}"


def _part(name: str, each: GraphQLField) -> str:
    if name == "errors" and get_named_type(each.type).name == "UserError":
        return _ERRORS
    return name if is_leaf_type(get_named_type(each.type)) else f"{name} {{ __typename }}"


def _needs(each: GraphQLField) -> bool:
    return any(is_required_argument(argument) for argument in each.args.values())
