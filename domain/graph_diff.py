"""What differs between two definitions, told so that a person can judge it: changes when that is told otherwise.

Pure. A difference is empty exactly when both definitions are the same, that is, have the same content hash. Secrets
that stand in a definition are hidden (`domain.plain_secrets`): that such a value changed is told, the value is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from domain.formats.stored import Trusted, definition_to_json, trusted_graph
from domain.graph_parts import Naming, Path, same, split
from domain.graphs import Definition, Edge, Node
from domain.json import JSON
from domain.plain_secrets import hidden, holds_secret


class ChangeKind(StrEnum):
    """MOVED: the parts of a list are the same and stand in another order."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"
    MOVED = "MOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """`path` leads to the field from what it is a field of. `before` is None when ADDED, `after` when REMOVED; when
    MOVED they are the names in their order. `hidden`: some of the values is a secret and not shown."""

    path: Path
    kind: ChangeKind
    before: JSON = None
    after: JSON = None
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """`node` is what it became."""

    node: Node
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeChange:
    """An edge that connects the same and has another condition or maximum; `edge` is what it became."""

    edge: Edge
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that differs. Paths of `variables` begin with the variable's name, paths of `settings` with the
    setting's, paths of `others` with what else a definition has (`inputSchema`, `outputSchema`).

    `reordered`: nodes or edges that are in both stand in another order.
    """

    nodes_added: tuple[Node, ...] = ()
    nodes_removed: tuple[Node, ...] = ()
    nodes_changed: tuple[NodeChange, ...] = ()
    edges_added: tuple[Edge, ...] = ()
    edges_removed: tuple[Edge, ...] = ()
    edges_changed: tuple[EdgeChange, ...] = ()
    variables: tuple[FieldChange, ...] = ()
    settings: tuple[FieldChange, ...] = ()
    others: tuple[FieldChange, ...] = ()
    reordered: bool = False

    @property
    def identical(self) -> bool:
        return self == Diff()


def diff(before: Definition, after: Definition) -> Diff:
    """From `before` to `after`."""
    old, new = definition_to_json(before), definition_to_json(after)
    nodes, edges = _Lists(old["nodes"], new["nodes"]), _Lists(old["edges"], new["edges"])
    others = {*old, *new} - {"nodes", "edges", "variables", "settings"}
    return Diff(
        nodes_added=tuple(_node(value) for value in nodes.added),
        nodes_removed=tuple(_node(value) for value in nodes.removed),
        nodes_changed=tuple(NodeChange(node=_node(value), fields=fields) for value, fields in nodes.changed),
        edges_added=tuple(_edge(value) for value in edges.added),
        edges_removed=tuple(_edge(value) for value in edges.removed),
        edges_changed=tuple(EdgeChange(edge=_edge(value), fields=fields) for value, fields in edges.changed),
        variables=tuple(_changes(old.get("variables", {}), new.get("variables", {}))),
        settings=tuple(_changes(old.get("settings", {}), new.get("settings", {}))),
        others=tuple(
            _changes(
                {key: value for key, value in old.items() if key in others},
                {key: value for key, value in new.items() if key in others},
                names_tell=False,
            )
        ),
        reordered=nodes.moved or edges.moved,
    )


class _Lists:
    """Two lists of nodes, or of edges, side by side."""

    def __init__(self, before: JSON, after: JSON) -> None:
        parts = split(before, after)
        if parts is None:
            raise ValueError("nodes of a stored definition have ids, each its own")
        old, new = parts.of
        self.added = [value for name, value in new.items() if name not in old]
        self.removed = [value for name, value in old.items() if name not in new]
        both = [(value, tuple(_changes(old[name], value))) for name, value in new.items() if name in old]
        self.changed = [(value, fields) for value, fields in both if fields]
        self.moved = _moved(old, new)


def _changes(
    before: JSON, after: JSON, path: Path = (), *, secret: bool = False, names_tell: bool = True
) -> Iterator[FieldChange]:
    """`secret`: a name on the path says that these are secrets. `names_tell`: whether names do."""
    if same(before, after):
        return
    parts = split(before, after)
    if parts is None:
        yield _change(path, ChangeKind.CHANGED, before, after, secret=secret, names_tell=names_tell)
        return
    old, new = parts.of
    members_tell = names_tell and parts.naming is Naming.MEMBER
    for name in (*old, *(each for each in new if each not in old)):
        at = (*path, name)
        told = secret or (members_tell and (holds_secret(old, name) or holds_secret(new, name)))
        if name not in new:
            yield _change(at, ChangeKind.REMOVED, old[name], None, secret=told, names_tell=names_tell)
        elif name not in old:
            yield _change(at, ChangeKind.ADDED, None, new[name], secret=told, names_tell=names_tell)
        else:
            yield from _changes(old[name], new[name], at, secret=told, names_tell=names_tell)
    if parts.naming is not Naming.MEMBER and _moved(old, new):
        yield FieldChange(path=path, kind=ChangeKind.MOVED, before=list(old), after=list(new))


def _change(path: Path, kind: ChangeKind, before: JSON, after: JSON, *, secret: bool, names_tell: bool) -> FieldChange:
    shown = tuple(hidden(value, named=secret, names_tell=names_tell) for value in (before, after))
    return FieldChange(path=path, kind=kind, before=shown[0], after=shown[1], hidden=shown != (before, after))


def _moved(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> bool:
    return [name for name in old if name in new] != [name for name in new if name in old]


def _node(value: JSON) -> Node:
    return trusted_graph(cast("Trusted", {"nodes": [hidden(value)]})).nodes[0]


def _edge(value: JSON) -> Edge:
    return trusted_graph(cast("Trusted", {"nodes": (), "edges": [value]})).edges[0]
