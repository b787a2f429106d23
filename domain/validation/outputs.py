"""What nodes give and get, as far as their kinds and configs tell it: changes with the outputs of Weir's own kinds."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.graphs import ERROR, Edge, Node, OnError
from domain.json import JSONObject, as_object
from domain.nodes import NodeKind
from domain.validation.shapes import ANY, LIST, TEXT, WHOLE_NUMBER, Shape, exactly, of_literal

_OBJECT: Final = Shape(types=frozenset({"object"}))
_PASSING: Final = frozenset({"cancel", "delay", "if", "log", "parallel", "switch"})
"""Kinds whose output is their input."""
_FIXED: Final = {
    "http": exactly(status=WHOLE_NUMBER, headers=_OBJECT, body=ANY),
    "webhook": exactly(status=WHOLE_NUMBER, headers=_OBJECT, body=ANY),
    "email": exactly(messageId=TEXT, accepted=LIST, refused=LIST, response=ANY),
}


class Outputs:
    """Shapes of one graph's values, each found once, in linear time; `trigger` is the execution's input."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        kinds: Mapping[str, NodeKind],
        incoming: Mapping[str, Sequence[Edge]],
        trigger: Shape,
    ) -> None:
        self.trigger = trigger
        self._nodes = nodes
        self._kinds = kinds
        self._incoming = incoming
        self._known: dict[str, Shape] = {}

    def of(self, name: str) -> Shape:
        """What `steps.<name>.output` is."""
        passed: dict[str, None] = {}
        found: Shape | None = self._known.get(name)
        while found is None:
            passed[name] = None
            node = self._nodes[name]
            source = self._source(node) if self._passes(node) else None
            if source is None:
                found = ANY if self._passes(node) else self._made(node)
            elif source.source in passed:
                found = ANY
            else:
                name = source.source
                found = self._known.get(name)
        self._known |= dict.fromkeys(passed, found)
        return found

    def entering(self, name: str) -> Shape:
        """What `input` is to a node: what its one source gives; several, a failed one or none give anything."""
        source = self._source(self._nodes[name])
        return self.of(source.source) if source is not None else ANY

    def over(self, edge: Edge) -> Shape:
        """What `input` is to the condition of an edge."""
        node = self._nodes.get(edge.source)
        return ANY if node is None or edge.source_handle == ERROR else self.of(edge.source)

    def _source(self, node: Node) -> Edge | None:
        incoming: Sequence[Edge] = self._incoming.get(node.id, ())
        if len(incoming) != 1 or incoming[0].source_handle == ERROR:
            return None
        return incoming[0]

    def _passes(self, node: Node) -> bool:
        return (node.kind in _PASSING or node.disabled) and node.each is None

    def _made(self, node: Node) -> Shape:
        kind = self._kinds.get(node.kind)
        if kind is None or node.on_error is OnError.CONTINUE:
            return ANY  # past a failure comes what the node was given
        if node.each is not None:
            return LIST
        if kind.entry:
            return self.trigger
        if node.kind in _FIXED:
            return _FIXED[node.kind]
        return _configured(node.kind, node.config)


def _configured(kind: str, config: JSONObject) -> Shape:
    """Of the kinds whose config says what comes out."""
    match kind:
        case "set":
            values = {name: of_literal(value) for name, value in as_object(config.get("values")).items()}
            return Shape(types=frozenset({"object"}), members=values, open=config.get("keepOnly") is not True)
        case "loop":
            return ANY if config.get("results") == "last" else LIST
        case "transform" if "outputMapping" in config:
            return exactly(**dict.fromkeys(as_object(config["outputMapping"]), ANY))
        case "transform" if config.get("operation") in ("map", "filter"):
            return LIST
        case _:
            return ANY
