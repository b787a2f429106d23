"""Which variables a workflow has: those it declares, and those its nodes set."""

from collections.abc import Iterator, Mapping

from domain.graphs import Definition
from domain.json import JSONObject, as_list, as_object
from domain.nodes import NodeKind

_SETS = "set"


def variable_names(definition: Definition, kinds: Mapping[str, NodeKind]) -> frozenset[str] | None:
    """The names that `vars` may have; None where a node of a plug-in may set any."""
    names = set(definition.variables)
    for kind, config in _nodes(definition, kinds):
        described = kinds.get(kind)
        if described is not None and described.package is not None:
            return None
        if kind == _SETS:
            names |= as_object(config.get("values")).keys()
    return frozenset(names)


def _nodes(definition: Definition, kinds: Mapping[str, NodeKind]) -> Iterator[tuple[str, JSONObject]]:
    """Kind and config of every node, those in bodies and those that undo with them."""
    work = [(node.kind, node.config, node.compensation) for node in definition.graph.nodes]
    while work:
        kind, config, compensation = work.pop()
        yield kind, config
        undo = as_object(compensation)
        if undo:
            work.append((str(undo.get("kind")), as_object(undo.get("config")), None))
        if kind in kinds and kinds[kind].body:
            inner = map(as_object, as_list(as_object(config.get("body")).get("nodes")))
            work += [(str(n.get("kind")), as_object(n.get("config")), n.get("compensation")) for n in inner]
