"""What each node of a graph gives and gets: changes when values take another way through a graph."""

from collections.abc import Mapping, Sequence

from domain.graphs import ERROR, Edge, Node, OnError
from domain.json import JSONObject
from domain.nodes import PASSED, NodeKind
from domain.validation.shapes import ANY, LIST, Shape, described


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
        self._fixed: dict[str, Shape] = {}

    def of(self, name: str) -> Shape:
        """What `steps.<name>.output` is."""
        passed: dict[str, None] = {}
        found: Shape | None = self._known.get(name)
        while found is None:
            passed[name] = None
            node = self._nodes[name]
            found = self._made(node)
            if found is not None:
                break
            source = self._source(node)
            if source is None or source.source in passed:
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

    def _made(self, node: Node) -> Shape | None:
        """What the node makes; None when it gives what it was given."""
        if node.disabled and node.each is None:
            return None
        kind = self._kinds.get(node.kind)
        if kind is None:
            return ANY
        past_failures = node.on_error is OnError.CONTINUE  # comes what the node was given
        if node.each is not None:
            return ANY if past_failures else LIST
        output = kind.output_of(node.config)
        if PASSED in output:
            return None
        if past_failures:
            return ANY
        return self.trigger if kind.entry else self._shape(kind, output)

    def _shape(self, kind: NodeKind, output: JSONObject) -> Shape:
        """A schema that all nodes of a kind share is read once."""
        if callable(kind.output):
            return described(output)
        if kind.name not in self._fixed:
            self._fixed[kind.name] = described(output)
        return self._fixed[kind.name]
