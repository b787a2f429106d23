"""Whether a workflow makes sense: everything wrong with it, all at once.

A finding's path leads from the node it names (`config`, `url`), else from the document (`edges`, `3`, `target`).
"""

from collections.abc import Iterator

from domain.errors import Finding, Severity
from domain.graphs import Definition
from domain.nodes import NodeCatalog
from domain.validation.edges import edge_findings, graph_findings
from domain.validation.expressions import ExpressionCheck
from domain.validation.json_schemas import schema_findings
from domain.validation.limits import LIMITS, Limits, size_findings
from domain.validation.nodes import duplicate_ids, node_findings, settings_findings

__all__ = ["LIMITS", "Limits", "validate"]

_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def validate(definition: Definition, catalog: NodeCatalog, limits: Limits = LIMITS) -> list[Finding]:
    """All findings, errors and warnings; without an error the definition can run.

    Linear in nodes and edges. A graph beyond the limits gets that one finding and is not looked at further.
    """
    graph = definition.graph
    too_large = size_findings(len(graph.nodes), len(graph.edges), limits)
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
    graph, kinds = definition.graph, catalog.kinds()
    nodes = {node.id: node for node in graph.nodes}
    check = ExpressionCheck(nodes)
    yield from duplicate_ids(graph.nodes)
    for node in graph.nodes:
        yield from node_findings(node, catalog)
        if node.kind in kinds:
            check.config(node.id, node.kind, node.config, kinds[node.kind].config_schema)
    yield from edge_findings(graph, nodes, catalog, check)
    yield from check.findings
    yield from graph_findings(graph, nodes, catalog)
    yield from settings_findings(definition)
    yield from schema_findings(definition.input_schema, ("inputSchema",))
    yield from schema_findings(definition.output_schema, ("outputSchema",))
