"""Which connections a workflow names, and whether they are there."""

from collections.abc import Iterator, Mapping, Sequence

from domain.connections import ConnectionReader
from domain.connections_check import MAX_NAME
from domain.errors import Finding, Invalid, InvalidId, Severity
from domain.graphs import Definition
from domain.ids import ConnectionId, decode
from domain.json import JSONObject, as_list, as_object
from domain.nodes import NodeCatalog, NodeKind
from domain.storable import checked_text

_KEY = "connection"


async def findings(definition: Definition, catalog: NodeCatalog, reader: ConnectionReader) -> Sequence[Finding]:
    """A warning for each node that names a connection which is not there; names with expressions are passed over.

    No more than a warning: the connection may be made after the workflow, as in another environment.
    """
    kinds = catalog.kinds()
    named = [each for node in definition.graph.nodes for each in _named(node.id, node.kind, node.config, kinds)]
    there = {name: await _is_there(name, reader) for name in dict.fromkeys(name for _, name in named)}
    return [
        Finding(
            severity=Severity.WARNING,
            code="NO_CONNECTION",
            message=f"There is no connection {name[:80]!r}",
            node_id=node_id,
            path=("config", _KEY),
            remedy="Make it before the workflow runs, or name another one.",
        )
        for node_id, name in named
        if not there[name]
    ]


def _named(node_id: str, kind: str, config: JSONObject, kinds: Mapping[str, NodeKind]) -> Iterator[tuple[str, str]]:
    """(node, name) of this node and of those in its body."""
    known = kinds.get(kind)
    if known is None:
        return
    name = config.get(_KEY)
    takes_one = _KEY in as_object(known.config_schema.get("properties"))
    if takes_one and isinstance(name, str) and name and "{{" not in name:
        yield node_id, name
    for inner in as_list(as_object(config.get("body")).get("nodes")) if known.body else ():
        node = as_object(inner)
        yield from _named(str(node.get("id")), str(node.get("kind")), as_object(node.get("config")), kinds)


async def _is_there(name: str, reader: ConnectionReader) -> bool:
    try:
        if name.startswith("connection_"):
            return bool(await reader.by_ids([ConnectionId(decode("connection", name))]))
        return await reader.by_name(checked_text(name, _KEY, most=MAX_NAME)) is not None
    except (Invalid, InvalidId):
        return False
