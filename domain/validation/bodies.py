"""What can be wrong with a graph inside a node, with `each` and with `compensation`, and where it is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import BaseModel, ValidationError

from domain.errors import Finding
from domain.formats.shapes import CompensationShape, EachShape, GraphShape
from domain.formats.stored import Trusted, trusted_graph
from domain.graphs import Graph, Node
from domain.json import JSON, as_list, as_object
from domain.nodes import NodeCatalog
from domain.undoing import undoing
from domain.validation.expressions import ExpressionCheck
from domain.validation.models import shape_findings

MAX_DEPTH = 10
"""How many bodies may lie in one another."""
_BODY = ("config", "body")
_OUTPUT = frozenset({"output"})


def body_of(node: Node) -> Graph | Sequence[Finding]:
    """The graph in the node's config, or why it is none."""
    body = node.config.get("body")
    wrong = _shape(GraphShape, body, node.id, _BODY)
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
    work = [node.config.get("body") for node in graph.nodes]
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


def each_findings(node: Node) -> Iterator[Finding]:
    """`each` is a list, an expression, or `{items, concurrency?, errorHandling?}`."""
    if isinstance(node.each, Mapping):
        yield from _shape(EachShape, node.each, node.id, ("each",))
    elif isinstance(node.each, bool | int | float) or (isinstance(node.each, str) and "{{" not in node.each):
        yield Finding(
            code="BAD_EACH",
            message="'each' is no list",
            node_id=node.id,
            path=("each",),
            remedy="Give a list, an expression in {{ }}, or {items, concurrency, errorHandling}.",
        )


def compensation_findings(node: Node, catalog: NodeCatalog, check: ExpressionCheck) -> Iterator[Finding]:
    """`compensation` is `{kind, config?, retry?, timeout?}`; its expressions see the step's `input` and `output`."""
    if node.compensation is None:
        return
    wrong = _shape(CompensationShape, node.compensation, node.id, ("compensation",))
    if wrong:
        yield from wrong
        return
    undo = undoing(node)
    kind = catalog.kinds().get(undo.kind) if undo is not None else None
    if undo is None or kind is None or kind.entry or kind.body or kind.merges:
        yield Finding(
            code="UNKNOWN_KIND",
            message=f"Nothing can be undone by a node of the kind {as_object(node.compensation).get('kind')!r}",
            node_id=node.id,
            path=("compensation", "kind"),
            remedy="Name a kind that acts, such as http.",
        )
        return
    for finding in catalog.check(undo):
        yield replace(finding, node_id=node.id, path=("compensation", *finding.path))
    check.config(node.id, undo.kind, undo.config, kind.config_schema, within=("compensation",), names=_OUTPUT)


def _shape(model: type[BaseModel], value: JSON, node_id: str, path: tuple[str, ...]) -> list[Finding]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        found = shape_findings(model, error, value)
        return [replace(finding, node_id=node_id, path=(*path, *finding.path)) for finding in found]
    return []
