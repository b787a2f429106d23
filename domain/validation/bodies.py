"""What can be wrong with a graph inside a node, and where it is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from domain.errors import Finding
from domain.formats.shapes import GraphShape
from domain.formats.stored import Trusted, trusted_graph
from domain.graphs import Graph, Node
from domain.json import JSON, as_list, as_object
from domain.validation.models import wrong_shape

MAX_DEPTH = 10
"""How many bodies may lie in one another."""
_BODY = ("config", "body")


def body_of(node: Node) -> Graph | Sequence[Finding]:
    """The graph in the node's config, or why it is none."""
    body = node.config.get("body")
    wrong = wrong_shape(GraphShape, body, node.id, _BODY)
    if wrong:
        return wrong
    graph = trusted_graph(cast("Trusted", body))
    if not graph.nodes:
        message = f"The body of {node.id!r} has no nodes"
        return [Finding(code="EMPTY", message=message, node_id=node.id, path=_BODY, remedy="Add a node.")]
    return graph


def sizes(graph: Graph) -> tuple[int, int]:
    """How many nodes and edges there are, those of bodies with them."""
    nodes, edges = len(graph.nodes), len(graph.edges)
    work: list[JSON] = [node.config["body"] for node in graph.nodes if "body" in node.config]
    while work:
        body = as_object(work.pop())
        inner = as_list(body.get("nodes"))
        nodes, edges = nodes + len(inner), edges + len(as_list(body.get("edges")))
        work += [as_object(as_object(node).get("config")).get("body") for node in inner]
    return nodes, edges


@dataclass(frozen=True, slots=True)
class Inside:
    """Tells a finding about a body's graph from the node whose body it is."""

    container: str

    def told(self, finding: Finding) -> Finding:
        inner = ("nodes", finding.node_id) if finding.node_id is not None else ()
        return replace(finding, node_id=self.container, path=(*_BODY, *inner, *finding.path))


def too_deep(node: Node) -> Finding:
    return Finding(
        code="TOO_DEEP",
        message=f"More than {MAX_DEPTH} bodies lie in one another",
        node_id=node.id,
        path=_BODY,
        remedy="Put the inner part into a workflow of its own and call it with a subworkflow node.",
    )
