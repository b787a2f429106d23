"""Graphs of patterns, drawn with tests/contract/flows.py and refused like a user's: changes when they need more ink."""

from dataclasses import replace

from domain.errors import Severity
from domain.formats.stored import graph_to_json
from domain.graphs import Definition, Edge, Graph, JoinMode, Node
from domain.json import JSON, JSONObject
from domain.validation import validate
from jobs.nodes import CATALOG
from tests.contract.flows import edges, flow, http


def drawn(*parts: Node | str | Edge, variables: JSONObject | None = None) -> Definition:
    """`flow` of these parts, in which validation finds no error: so it could be published."""
    definition = flow(*parts, variables=variables)
    findings = [finding for finding in validate(definition, CATALOG) if finding.severity is Severity.ERROR]
    assert findings == [], findings
    return definition


def body(*parts: Node | str | Edge) -> JSONObject:
    """The same for the inside of a loop, which begins at the nodes that no edge leads to."""
    nodes = [part for part in parts if isinstance(part, Node)]
    drawings = [part for part in parts if isinstance(part, str)]
    ways = [*edges(*drawings), *(part for part in parts if isinstance(part, Edge))]
    return graph_to_json(Graph(nodes=nodes, edges=ways))


def way(drawing: str, *, when: str | None = None, at_most: int | None = None) -> Edge:
    """One edge with a condition, or with the maximum that an edge closing a cycle needs."""
    (edge,) = edges(drawing)
    return replace(edge, condition=when, max_iterations=at_most)


def joining(mode: JoinMode, node: Node) -> Node:
    """The node with another way to wait for its edges."""
    return replace(node, join=mode)


def for_each(items: JSON, node: Node, *, concurrency: int = 1) -> Node:
    """The node once per element."""
    return replace(node, each={"items": items, "concurrency": concurrency})


def calls(url: str, *names: str) -> list[Node]:
    """One `http` node for each name, which asks the path of that name."""
    return [http(name, f"{url}/{name}") for name in names]
