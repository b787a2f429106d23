"""The tree of a native expression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from domain.expressions.coercion import Value


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """One `.key`, `[key]` or, optional, `?.key`."""

    key: "Node"
    optional: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """`base` and what is read from it in turn; a nullish value before an optional link ends the chain."""

    base: "Node"
    links: Sequence[Link]


@dataclass(frozen=True, slots=True)
class Call:
    """One of our functions by its full name, such as `text.upper`."""

    function: str
    arguments: "Sequence[Node]"


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Fold:
    """`first`, then each operator with its operand from left to right; long chains need no deep recursion."""

    first: "Node"
    rest: "Sequence[tuple[str, Node]]"


@dataclass(frozen=True, slots=True)
class Conditional:
    test: "Node"
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    items: "Sequence[Node]"


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    items: "Sequence[tuple[Node, Node]]"


@dataclass(frozen=True, slots=True)
class TemplateText:
    parts: "Sequence[Node]"


Node: TypeAlias = (
    Literal | Name | Chain | Call | Unary | Fold | Conditional | ArrayLiteral | ObjectLiteral | TemplateText
)
