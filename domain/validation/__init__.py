"""Whether a workflow makes sense: everything wrong with it, all at once.

A finding's path leads from the node it names (`config`, `url`), else from the document (`edges`, `3`, `target`).
"""

from collections.abc import Iterator, Mapping

from domain.errors import Finding, Severity
from domain.graphs import Definition, Graph, Node
from domain.nodes import NodeCatalog
from domain.validation.bodies import MAX_DEPTH, Inside, body_of, sizes, too_deep
from domain.validation.edges import edge_findings, graph_findings
from domain.validation.expressions import ExpressionCheck
from domain.validation.json_schemas import schema_findings
from domain.validation.limits import LIMITS, Limits, size_findings
from domain.validation.nodes import duplicate_ids, node_findings, settings_findings
from domain.validation.traits import trait_findings

__all__ = ["LIMITS", "Limits", "validate"]

_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def validate(definition: Definition, catalog: NodeCatalog, limits: Limits = LIMITS) -> list[Finding]:
    """All findings, errors and warnings; without an error the definition can run.

    Linear in nodes and edges. A graph beyond the limits gets that one finding and is not looked at further.
    """
    graph = definition.graph
    too_large = size_findings(len(graph.nodes), len(graph.edges), limits) or size_findings(*sizes(graph), limits)
    if too_large:
        return list(too_large)
    findings = list(_findings(definition, catalog))
    if len(findings) <= limits.findings:
        return findings
    findings.sort(key=lambda finding: _WORST_FIRST.index(finding.severity))
    more = f"There are {len(findings) - limits.findings:,} more findings"
    remedy = "Mend the first ones and look again."
    rest = Finding(severity=Severity.INFO, code="MORE", message=more, remedy=remedy)
    return [*findings[: limits.findings], rest]


def _findings(definition: Definition, catalog: NodeCatalog) -> Iterator[Finding]:
    yield from _graph_findings(definition.graph, catalog, {}, depth=0)
    yield from settings_findings(definition)
    yield from schema_findings(definition.input_schema, ("inputSchema",))
    yield from schema_findings(definition.output_schema, ("outputSchema",))


def _graph_findings(graph: Graph, catalog: NodeCatalog, around: Mapping[str, Node], *, depth: int) -> Iterator[Finding]:
    """One graph, and the graphs inside its nodes; `around` are the nodes of the graphs it lies in."""
    kinds = catalog.kinds()
    nodes = {node.id: node for node in graph.nodes}
    seen = {**around, **nodes}
    check = ExpressionCheck(seen)
    yield from duplicate_ids(graph.nodes)
    for node in graph.nodes:
        yield from node_findings(node, catalog)
        if node.kind in kinds:
            check.config(node.id, node.config, kinds[node.kind].config_schema)
        yield from trait_findings(node, catalog, check)
    yield from edge_findings(graph, nodes, catalog, check)
    yield from check.findings
    yield from graph_findings(graph, nodes, catalog, inside=depth > 0)
    for node in graph.nodes:
        if node.kind in kinds and kinds[node.kind].body:
            yield from _body_findings(node, catalog, seen, depth)


def _body_findings(node: Node, catalog: NodeCatalog, around: Mapping[str, Node], depth: int) -> Iterator[Finding]:
    if depth == MAX_DEPTH:
        yield too_deep(node)
        return
    body = body_of(node)
    if isinstance(body, Graph):
        inside = Inside(node.id)
        yield from map(inside.told, _graph_findings(body, catalog, around, depth=depth + 1))
    else:
        yield from body
