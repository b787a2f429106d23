"""What the schema lets callers ask, and questions made of it: changes when the way questions are made does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    TypeDefinitionNode,
    TypeNode,
    parse,
    print_ast,
)

from schema.root import sdl

_TYPES = {each.name.value: each for each in parse(sdl()).definitions if isinstance(each, TypeDefinitionNode)}
_COMPOSITE = ("object_type_definition", "interface_type_definition", "union_type_definition")
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
    variables: Mapping[str, object]


def fields(kind: str) -> Mapping[str, FieldDefinitionNode]:
    """Of a type: "Query", "Workflow"."""
    found = _TYPES[kind]
    assert isinstance(found, ObjectTypeDefinitionNode)
    return {each.name.value: each for each in found.fields or ()}


def nodes() -> Mapping[str, Mapping[str, str]]:
    """The types that have ids: their fields that can be asked without arguments and have fields of their own.

    With the name of each such field's type.
    """
    found = [each for each in _TYPES.values() if isinstance(each, ObjectTypeDefinitionNode)]
    with_ids = [each.name.value for each in found if "Node" in {of.name.value for of in each.interfaces or ()}]
    return {name: dict(_parts(name)) for name in with_ids}


def places(operation: str) -> Iterator[Place]:
    """Every place where a field of the operation takes an id, in nested inputs too."""
    for name, each in fields(operation).items():
        for argument in each.arguments or ():
            taken = argument.name.value
            for path, found in _ids(argument.type, f"{operation}.{name}({taken}:)", (taken,), ()):
                yield Place(operation=operation, field=name, path=path, coordinate=found)


def question(operation: str, name: str, given: Mapping[str, object], place: Place | None = None) -> Question:
    """Asks the field for all it can tell without arguments; its own arguments are those it needs and those to `place`.

    `given`: values by coordinate; what it does not name gets an example of its type. Raises KeyError for an id.
    """
    asked = fields(operation)[name]
    through = place.path if place is not None else ()
    variables = _arguments(asked.arguments or (), lambda taken: f"{operation}.{name}({taken}:)", given, through)
    types = {each.name.value: print_ast(each.type) for each in asked.arguments or ()}
    declared = f"({', '.join(f'${each}: {types[each]}' for each in variables)})" if variables else ""
    passed = f"({', '.join(f'{each}: ${each}' for each in variables)})" if variables else ""
    text = f"{operation.lower()} {declared} {{ it: {name}{passed} {_selection(asked.type)} }}"
    return Question(text=text, variables=variables)


def _name(kind: TypeNode) -> str:
    """Of the type without its lists and exclamation marks."""
    match kind:
        case NamedTypeNode():
            return kind.name.value
        case ListTypeNode() | NonNullTypeNode():
            return _name(kind.type)
        case _:
            raise TypeError(kind)


def _ids(kind: TypeNode, coordinate: str, path: Path, within: Sequence[str]) -> Iterator[tuple[Path, str]]:
    match kind:
        case NonNullTypeNode():
            yield from _ids(kind.type, coordinate, path, within)
        case ListTypeNode():
            yield from _ids(kind.type, coordinate, (*path, 0), within)
        case _ if _name(kind) == "ID":
            yield path, coordinate
        case _:
            found = _TYPES.get(_name(kind))
            if isinstance(found, InputObjectTypeDefinitionNode) and _name(kind) not in within:
                for each in found.fields or ():
                    name = each.name.value
                    yield from _ids(each.type, f"{_name(kind)}.{name}", (*path, name), (*within, _name(kind)))


def _arguments(
    taken: Sequence[InputValueDefinitionNode],
    coordinate: Callable[[str], str],
    given: Mapping[str, object],
    through: Path,
) -> dict[str, object]:
    """The values of those that are required, given, or on the way to a place."""
    values: dict[str, object] = {}
    for each in taken:
        name = each.name.value
        there = coordinate(name)
        on_the_way = through[:1] == (name,)
        if on_the_way or _required(each) or (there in given and _name(each.type) != "ID"):
            values[name] = _value(each.type, there, given, through[1:] if on_the_way else ())
    return values


def _value(kind: TypeNode, coordinate: str, given: Mapping[str, object], through: Path) -> object:
    match kind:
        case NonNullTypeNode():
            return _value(kind.type, coordinate, given, through)
        case ListTypeNode():
            return [_value(kind.type, coordinate, given, through[1:])]
        case _ if coordinate in given and not through:
            return given[coordinate]
        case _:
            name = _name(kind)
    match _TYPES.get(name):
        case InputObjectTypeDefinitionNode() as found:
            return _arguments(found.fields or (), lambda taken: f"{name}.{taken}", given, through)
        case EnumTypeDefinitionNode() as found:
            return next(iter(found.values or ())).name.value
        case _:
            return _EXAMPLES[name]


def _required(taken: InputValueDefinitionNode) -> bool:
    return isinstance(taken.type, NonNullTypeNode) and taken.default_value is None


def _askable(kind: str) -> Iterator[tuple[str, str]]:
    """The fields that need no arguments, with the names of their types."""
    for name, each in fields(kind).items():
        if not any(_required(taken) for taken in each.arguments or ()):
            yield name, _name(each.type)


def _composite(kind: str) -> bool:
    found = _TYPES.get(kind)
    return found is not None and found.kind in _COMPOSITE


def _parts(kind: str) -> Iterator[tuple[str, str]]:
    return ((name, seen) for name, seen in _askable(kind) if _composite(seen))


def _selection(kind: TypeNode) -> str:
    """All that is told without arguments; of what has fields of its own, that it is there."""
    name = _name(kind)
    if not isinstance(_TYPES.get(name), ObjectTypeDefinitionNode):
        return "{ __typename }" if _composite(name) else ""
    return f"{{ {' '.join(_part(field, seen) for field, seen in _askable(name))} }}"


def _part(name: str, kind: str) -> str:
    if kind == "UserError":
        return _ERRORS
    return f"{name} {{ __typename }}" if _composite(kind) else name
