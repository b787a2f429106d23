"""Which connections a workflow names, and whether they are there and right for the nodes that name them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from domain.connections import ConnectionReader, SavedConnection
from domain.connections_check import MAX_NAME
from domain.errors import Finding, Invalid, InvalidId
from domain.graphs import Definition
from domain.ids import ConnectionId, decode
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import NodeCatalog, NodeKind
from domain.storable import checked_text
from domain.validation.codes import found
from domain.validation.fields import connection_fields

MOST_LOOKED_UP: Final = 200
"""Different connections that are asked for; what further ones a graph names, only running it shows."""
CONNECTION_CODES: Final = frozenset({"NO_CONNECTION", "WRONG_CONNECTION_TYPE"})
_UNVERIFIED: Final = ("none", "require")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """Where a connection is named: in the node `node_id` of the workflow's own graph, at `path` in it.

    `usable`: the types it may have, none where any goes.
    """

    node_id: str
    path: tuple[str, ...]
    kind: str
    usable: tuple[str, ...]
    name: str


async def findings(definition: Definition, catalog: NodeCatalog, reader: ConnectionReader) -> Sequence[Finding]:
    """Warnings for connections that are not there, of a wrong type, or that trust anybody.

    No more than warnings: a connection may be made after the workflow, as in another environment. Names with
    expressions are passed over.
    """
    named = list(_in_definition(definition, catalog.kinds()))
    names = islice(dict.fromkeys(each.name for each in named), MOST_LOOKED_UP)
    there = {name: await _look_up(name, reader) for name in names}
    return [finding for each in named if each.name in there for finding in _judged(each, there[each.name])]


def _judged(named: _Named, connection: SavedConnection | None) -> Iterator[Finding]:
    name = f"{named.name[:80]!r}"
    if connection is None:
        remedy = "Make it before the workflow runs, or name another one."
        message = f"There is no connection {name}"
        yield found("NO_CONNECTION", message, node_id=named.node_id, path=named.path, remedy=remedy)
        return
    if named.usable and connection.type not in named.usable:
        message = f"The connection {name} is of type {connection.type}, which {named.kind} nodes cannot use"
        remedy = f"Name a connection of type {' or '.join(named.usable)}."
        yield found("WRONG_CONNECTION_TYPE", message, node_id=named.node_id, path=named.path, remedy=remedy)
    if connection.settings.get("tls") in _UNVERIFIED:
        message = f"The connection {name} does not check the certificate of the other side"
        remedy = "Set its tls so that it is checked; trust a certificate of your own with ca."
        yield found("TLS_NOT_VERIFIED", message, node_id=named.node_id, path=named.path, remedy=remedy)


def _in_definition(definition: Definition, kinds: Mapping[str, NodeKind]) -> Iterator[_Named]:
    for node in definition.graph.nodes:
        yield from _in_node(node.id, (), node.kind, node.config, node.compensation, kinds)


def _in_node(
    node_id: str,
    path: tuple[str, ...],
    kind: str,
    config: JSONObject,
    compensation: JSON,
    kinds: Mapping[str, NodeKind],
) -> Iterator[_Named]:
    """What this node names, what undoes it, and the nodes in its body; `path` leads to it from the node `node_id`."""
    yield from _in_config(node_id, (*path, "config"), kind, config, kinds)
    undo = as_object(compensation)
    if undo:
        within = (*path, "compensation", "config")
        yield from _in_config(node_id, within, str(undo.get("kind")), as_object(undo.get("config")), kinds)
    if kind not in kinds or not kinds[kind].body:
        return
    for inner in map(as_object, as_list(as_object(config.get("body")).get("nodes"))):
        below = (*path, "config", "body", "nodes", str(inner.get("id")))
        inside = as_object(inner.get("config"))
        yield from _in_node(node_id, below, str(inner.get("kind")), inside, inner.get("compensation"), kinds)


def _in_config(
    node_id: str, path: tuple[str, ...], kind: str, config: JSONObject, kinds: Mapping[str, NodeKind]
) -> Iterator[_Named]:
    if kind not in kinds:
        return
    for key, usable in connection_fields(kinds[kind].config_schema).items():
        name = config.get(key)
        if isinstance(name, str) and name and "{{" not in name:
            yield _Named(node_id=node_id, path=(*path, key), kind=kind, usable=usable, name=name)


async def _look_up(name: str, reader: ConnectionReader) -> SavedConnection | None:
    try:
        if name.startswith("connection_"):
            return next(iter(await reader.by_ids([ConnectionId(decode("connection", name))])), None)
        return await reader.by_name(checked_text(name, "connection", most=MAX_NAME))
    except (Invalid, InvalidId):
        return None
