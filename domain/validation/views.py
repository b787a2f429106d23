"""One graph as the checks see it: its nodes, edges, expressions and texts, and the graph it lies in."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from domain.conditions import Condition
from domain.engine.cycles import components
from domain.graphs import Definition, Edge, Graph, Node
from domain.json import JSONObject, as_object
from domain.nodes import NodeCatalog, NodeKind
from domain.validation.expressions import Place, Use
from domain.validation.leaves import Leaf, leaves
from domain.validation.order import Order
from domain.validation.outputs import Outputs
from domain.validation.shapes import described
from domain.validation.variables import variable_names


@dataclass(frozen=True, slots=True)
class Config:
    """A config in a node: its own, or that of its compensation; `path` leads to it from the node."""

    node: Node
    kind: NodeKind
    values: JSONObject
    path: tuple[str, ...] = ("config",)

    @property
    def undoes(self) -> bool:
        return self.path[0] != "config"


@dataclass(frozen=True, kw_only=True)
class GraphView:
    """`around`: the graph whose node `container` has this one as its body. `uses`, `conditions`: its expressions.

    `whole`: the definition is all of the workflow; else its variables are not known. Edges that dangle are left out.
    """

    definition: Definition
    graph: Graph
    nodes: Mapping[str, Node]
    catalog: NodeCatalog
    uses: Sequence[Use]
    conditions: Sequence[tuple[Condition, Place]]
    around: "GraphView | None" = None
    container: Node | None = None
    whole: bool = True

    @cached_property
    def kinds(self) -> Mapping[str, NodeKind]:
        return self.catalog.kinds()

    @cached_property
    def edges(self) -> Sequence[tuple[int, Edge]]:
        """Those between nodes that are there, with their places in the document."""
        nodes = self.nodes
        return [(at, edge) for at, edge in enumerate(self.graph.edges) if edge.source in nodes and edge.target in nodes]

    @cached_property
    def outgoing(self) -> Mapping[str, Sequence[Edge]]:
        found: dict[str, list[Edge]] = defaultdict(list)
        for _, edge in self.edges:
            found[edge.source].append(edge)
        return found

    @cached_property
    def incoming(self) -> Mapping[str, Sequence[Edge]]:
        found: dict[str, list[Edge]] = defaultdict(list)
        for _, edge in self.edges:
            found[edge.target].append(edge)
        return found

    @cached_property
    def order(self) -> Order:
        return Order(self.nodes, [(edge.source, edge.target) for _, edge in self.edges], self.cycles)

    @property
    def depth(self) -> int:
        """How many bodies it lies in."""
        return 0 if self.around is None else self.around.depth + 1

    @cached_property
    def cycles(self) -> Sequence[frozenset[str]]:
        """The nodes that lie on a cycle together."""
        successors: dict[str, list[tuple[int, str]]] = {name: [] for name in self.nodes}
        for at, edge in self.edges:
            successors[edge.source].append((at, edge.target))
        return components(successors)

    @cached_property
    def outermost(self) -> "GraphView":
        return self if self.around is None else self.around.outermost

    @cached_property
    def variables(self) -> frozenset[str] | None:
        """The names that `vars` may have; None when nobody can tell."""
        if self.around is not None:
            return self.around.variables
        return variable_names(self.definition, self.kinds) if self.whole else None

    @cached_property
    def outputs(self) -> Outputs:
        trigger = self.around.outputs.trigger if self.around else described(self.definition.input_schema)
        return Outputs(self.nodes, self.kinds, self.incoming, trigger)

    @cached_property
    def configs(self) -> Sequence[Config]:
        """Those of the nodes whose kind is known, and of their compensations."""
        return list(self._configs())

    @cached_property
    def leaves(self) -> Sequence[tuple[Config, Sequence[Leaf]]]:
        """The texts, numbers and truth values of each config; what lies in a body belongs to the body's own view."""
        return [
            (config, list(leaves(config.values, config.path, without="body" if config.kind.body else None)))
            for config in self.configs
        ]

    def _configs(self) -> Iterator[Config]:
        for node in self.nodes.values():
            kind = self.kinds.get(node.kind)
            if kind is not None:
                yield Config(node, kind, node.config)
            undo = as_object(node.compensation)
            kind = self.kinds.get(str(undo.get("kind"))) if undo else None
            if kind is not None:
                yield Config(node, kind, as_object(undo.get("config")), ("compensation", "config"))
