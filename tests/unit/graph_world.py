"""Small workflows to validate, and what validation finds in them."""

from collections.abc import Sequence

from domain.errors import Finding
from domain.graphs import Definition, Edge, Graph, Node
from domain.json import JSON
from domain.validation import validate
from jobs.nodes import CATALOG

START = Node(id="start", kind="trigger")


def log(name: str, message: JSON = "hello") -> Node:
    return Node(id=name, kind="log", config={"message": message})


def of(*nodes: Node, edges: Sequence[Edge] | None = None) -> Definition:
    """The nodes behind a trigger, one after the other unless edges are given."""
    every = (START, *nodes)
    chain = [Edge(source=one.id, target=other.id) for one, other in zip(every, nodes, strict=False)]
    return Definition(graph=Graph(nodes=every, edges=tuple(chain if edges is None else edges)))


def found(definition: Definition) -> list[tuple[str, str | None, str]]:
    return [(finding.code, finding.node_id, ".".join(finding.path)) for finding in validate(definition, CATALOG)]


def only(definition: Definition) -> Finding:
    [finding] = validate(definition, CATALOG)
    return finding
