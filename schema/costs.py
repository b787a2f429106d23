"""What an operation may cost at most, told before it runs: changes when the price of something changes.

An object costs 1 and a leaf nothing; what is inside a list counts once for each of its elements. A list has
as many elements as the `first` or `last` of its connection asks for, or as many as there are `ids`; where the
query says nothing, the argument's default or `Limits.list_length`. Of the branches for different object types
only the dearest counts. `@skip` and `@include` are not looked at: the cost is an upper bound.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.limits import fragments_of, operations_of

INTROSPECTION = 100  # a flat price: its depth is limited and its result does not depend on data
SIZES = ("first", "last", "ids")
REMEMBERED = 64  # costs of one document for different page sizes

Amounts = Mapping[str, int | None]


def amount(value: object) -> int | None:
    """How many elements a value for `first`, `last` or `ids` asks for; None when it does not say."""
    match value:
        case bool():
            return None
        case int() | float():
            return max(int(value), 0)
        case list():
            return len(value)  # pyright: ignore[reportUnknownArgumentType] -- only the length is of interest
        case _:
            return None


class Pricing:
    """The costs of one valid document's operations; remembers them by the page sizes given in variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, list_length: int) -> None:
        self._schema = schema
        self._fragments = fragments_of(document)
        self._operations = {node.name.value if node.name else None: node for node in operations_of(document)}
        self._list_length = list_length
        self._variables = _size_variables(document)
        self._known: OrderedDict[tuple[str | None, tuple[int | None, ...]], int] = OrderedDict()

    def cost(self, operation_name: str | None, variables: Mapping[str, object]) -> int:
        """The cost of the named operation (None: the only one) with these raw variables."""
        sizes = tuple(amount(variables[name]) if name in variables else None for name in self._variables)
        key = (operation_name, sizes)
        if (known := self._known.get(key)) is not None:
            return known
        if len(self._known) >= REMEMBERED:
            self._known.popitem(last=False)
        cost = self._known[key] = self._price(operation_name, variables)
        return cost

    def _price(self, operation_name: str | None, variables: Mapping[str, object]) -> int:
        operation = self._operations.get(operation_name) or next(iter(self._operations.values()))
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            return 0
        pricer = _Pricer(self._schema, self._fragments, self._list_length, _amounts(operation, variables))
        return pricer.selections(operation.selection_set, root, None)


def _amounts(operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Amounts:
    found: dict[str, int | None] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in variables:
            found[name] = amount(variables[name])
        elif definition.default_value is not None:
            found[name] = _literal(definition.default_value)
    return found


def _literal(node: ValueNode) -> int | None:
    match node:
        case IntValueNode(value=text):
            return max(int(text), 0)
        case ListValueNode(values=values):
            return len(values)
        case _:
            return None


class _SizeVariables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        if node.name.value in SIZES and isinstance(node.value, VariableNode):
            self.names[node.value.name.value] = None


def _size_variables(document: DocumentNode) -> tuple[str, ...]:
    visitor = _SizeVariables()
    visit(document, visitor)
    return tuple(visitor.names)


@dataclass(frozen=True, slots=True)
class _Pricer:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    list_length: int
    amounts: Amounts
    spread: dict[tuple[str, int | None], int] = field(default_factory=dict[tuple[str, int | None], int])

    def selections(self, nodes: SelectionSetNode, parent: GraphQLNamedType, page: int | None) -> int:
        """The cost inside a `parent`; when it is a connection, its own lists have `page` elements."""
        shared = 0
        branches: dict[str, int] = {}
        for node in nodes.selections:
            match node:
                case FieldNode():
                    shared += self._field(node, parent, page)
                    continue
                case InlineFragmentNode(type_condition=condition, selection_set=inside):
                    inner = self.schema.type_map[condition.name.value] if condition else parent
                    price = self.selections(inside, inner, page)
                case FragmentSpreadNode(name=name):
                    definition = self.fragments[name.value]
                    inner = self.schema.type_map[definition.type_condition.name.value]
                    price = self._fragment(definition, inner, page)
                case _:
                    continue
            if isinstance(inner, GraphQLObjectType) and isinstance(parent, GraphQLInterfaceType | GraphQLUnionType):
                branches[inner.name] = branches.get(inner.name, 0) + price
            else:
                shared += price
        return shared + max(branches.values(), default=0)

    def _fragment(self, definition: FragmentDefinitionNode, condition: GraphQLNamedType, page: int | None) -> int:
        key = (definition.name.value, page)
        if key not in self.spread:
            self.spread[key] = self.selections(definition.selection_set, condition, page)
        return self.spread[key]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, page: int | None) -> int:
        if node.selection_set is None:
            return 0
        if node.name.value.startswith("__"):
            return INTROSPECTION
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        definition = parent.fields[node.name.value]
        asked = self._page(definition, node)
        length = 1
        written = str(definition.type)  # [Thing!]!
        if written.startswith("["):
            length = asked if asked is not None else page if page is not None else self.list_length
            asked = None
        inner = self.schema.type_map[written.strip("[]!")]
        return length * (1 + self.selections(node.selection_set, inner, asked))

    def _page(self, definition: GraphQLField, node: FieldNode) -> int | None:
        sizes = [name for name in SIZES if name in definition.args]
        if not sizes:
            return None
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        amounts = [
            self._given(given[name]) if name in given else amount(definition.args[name].default_value) for name in sizes
        ]
        return max((found for found in amounts if found is not None), default=self.list_length)

    def _given(self, value: ValueNode) -> int | None:
        return self.amounts.get(value.name.value) if isinstance(value, VariableNode) else _literal(value)
