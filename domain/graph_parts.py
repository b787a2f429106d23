"""How values of a definition fall into named parts: changes when a list is compared by something else than places.

An object's parts are its members. A list has parts when each element says which one it is: nodes (and all that has an
`id`) by id, edges by what they connect, cases and the like by name. Everything else is one whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.graphs import IN, OUT
from domain.json import JSON, JSONObject, as_list, is_list
from domain.storable import canonical

Path = tuple[str, ...]
"""Where a value stands in a definition: names of members and of elements, such as nodes, price, config, url."""


class Naming(StrEnum):
    """What parts are told apart by."""

    MEMBER = "member"
    ID = "id"
    EDGE = "edge"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of several values, one mapping for each, in the order of the value."""

    naming: Naming
    of: Sequence[Mapping[str, JSON]]

    def joined(self, parts: Mapping[str, JSON]) -> JSON:
        """A value with these parts."""
        return dict(parts) if self.naming is Naming.MEMBER else list(parts.values())


def same(one: JSON, other: JSON) -> bool:
    """Whether both are the same JSON: 1 is neither true nor 1.0, and the order of members does not count."""
    return one is other or canonical(one) == canonical(other)


def split(*values: JSON) -> Parts | None:
    """The parts of all values, if all fall into parts of one naming."""
    members = [value for value in values if isinstance(value, Mapping)]
    if len(members) == len(values):
        return Parts(naming=Naming.MEMBER, of=members)
    if not all(is_list(value) for value in values):
        return None
    for naming, name in _NAMES.items():
        named = [_named(as_list(value), name, numbered=naming is not Naming.NAME) for value in values]
        found = [parts for parts in named if parts is not None]
        if len(found) == len(values):
            return Parts(naming=naming, of=found)
    return None


def edge_name(edge: JSONObject) -> str | None:
    """Such as `start > price` or `price.error > review`; None for what is no edge."""
    source, target = edge.get("source"), edge.get("target")
    if not (isinstance(source, str) and isinstance(target, str)):
        return None
    leaving, entering = edge.get("sourceHandle", OUT), edge.get("targetHandle", IN)
    left = source if leaving == OUT else f"{source}.{leaving}"
    return f"{left} > {target}" if entering == IN else f"{left} > {target}.{entering}"


def _named(
    elements: Sequence[JSON], name: Callable[[JSONObject], str | None], *, numbered: bool
) -> Mapping[str, JSON] | None:
    """The elements by name; None if one has none, or shares it and the later ones are not `numbered` (`a > b #2`)."""
    parts: dict[str, JSON] = {}
    counts: dict[str, int] = {}
    for element in elements:
        called = name(element) if isinstance(element, Mapping) else None
        if called is None:
            return None
        count = counts[called] = counts.get(called, 0) + 1
        if count > 1:
            called = f"{called} #{count}"
        if called in parts or (count > 1 and not numbered):
            return None
        parts[called] = element
    return parts


def _text(key: str) -> Callable[[JSONObject], str | None]:
    def name(element: JSONObject) -> str | None:
        value = element.get(key)
        return value if isinstance(value, str) else None

    return name


_NAMES: Mapping[Naming, Callable[[JSONObject], str | None]] = {
    Naming.ID: _text("id"),
    Naming.EDGE: edge_name,
    Naming.NAME: _text("name"),
}
