"""Whether a workflow makes sense: everything wrong with it, all at once.

A finding's path leads from the node it names (`config`, `url`), else from the document (`edges`, `3`, `target`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from domain.errors import Finding, Severity, ValidationLevel
from domain.graphs import Definition, Graph, Node
from domain.nodes import NodeCatalog
from domain.validation import (
    decisions,
    destinations,
    injections,
    loops,
    payloads,
    polling,
    programs,
    references,
    secrets,
    types,
)
from domain.validation.bodies import MAX_DEPTH, Inside, body_of, sizes, too_deep
from domain.validation.codes import found
from domain.validation.edges import edge_findings, graph_findings
from domain.validation.expressions import ExpressionCheck
from domain.validation.json_schemas import schema_findings
from domain.validation.limits import LIMITS, Limits, size_findings
from domain.validation.nodes import duplicate_ids, node_findings, settings_findings
from domain.validation.traits import trait_findings
from domain.validation.views import GraphView

__all__ = ["LEVELS", "LIMITS", "Limits", "validate"]

LEVELS = frozenset(ValidationLevel)
_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)
_Check = Callable[[GraphView], Iterator[Finding]]
_OF_A_GRAPH: Mapping[ValidationLevel, Sequence[_Check]] = {
    ValidationLevel.SEMANTIC: (references.findings, types.findings, decisions.findings),
    ValidationLevel.PERFORMANCE: (loops.findings, polling.findings, payloads.findings),
    ValidationLevel.SECURITY: (secrets.findings, destinations.findings, injections.findings, programs.findings),
}
_OF_A_WORKFLOW: Mapping[ValidationLevel, Sequence[_Check]] = {
    ValidationLevel.PERFORMANCE: (payloads.variable_findings,),
    ValidationLevel.SECURITY: (secrets.variable_findings,),
}


def validate(
    definition: Definition,
    catalog: NodeCatalog,
    limits: Limits = LIMITS,
    *,
    levels: Collection[ValidationLevel] = LEVELS,
    whole: bool = True,
) -> list[Finding]:
    """All findings of these levels; without an error the definition can run.

    Linear in nodes and edges. A graph beyond the limits gets that one finding and is not looked at further. `whole`:
    the definition is all of the workflow; else its variables are not known and nothing is said of them.
    """
    graph = definition.graph
    too_large = size_findings(len(graph.nodes), len(graph.edges), limits) or size_findings(*sizes(graph), limits)
    if too_large:
        return list(too_large)
    every = _Walk(definition, catalog, levels, whole).findings()
    findings = [finding for finding in every if finding.level in levels]
    if len(findings) <= limits.findings:
        return findings
    findings.sort(key=lambda finding: _WORST_FIRST.index(finding.severity))
    more = f"There are {len(findings) - limits.findings:,} more findings"
    return [*findings[: limits.findings], found("MORE", more)]


class _Walk:
    """Through a graph and the graphs inside its nodes."""

    def __init__(
        self, definition: Definition, catalog: NodeCatalog, levels: Collection[ValidationLevel], whole: bool
    ) -> None:
        self._definition = definition
        self._catalog = catalog
        self._kinds = catalog.kinds()
        self._levels = levels
        self._whole = whole

    def findings(self) -> Iterator[Finding]:
        definition = self._definition
        yield from self._graph(definition.graph, {}, None, None)
        yield from settings_findings(definition)
        yield from schema_findings(definition.input_schema, ("inputSchema",))
        yield from schema_findings(definition.output_schema, ("outputSchema",))

    def _graph(
        self, graph: Graph, around: Mapping[str, Node], outer: GraphView | None, container: Node | None
    ) -> Iterator[Finding]:
        """`around` are the nodes of all the graphs it lies in, `container` the one whose body it is."""
        nodes = {node.id: node for node in graph.nodes}
        seen = {**around, **nodes}
        check = ExpressionCheck(seen)
        yield from duplicate_ids(graph.nodes)
        for node in graph.nodes:
            yield from node_findings(node, self._catalog)
            if node.kind in self._kinds:
                check.config(node.id, node.config, self._kinds[node.kind].config_schema)
            yield from trait_findings(node, self._catalog, check)
        yield from edge_findings(graph, nodes, self._catalog, check)
        yield from check.findings
        view = GraphView(
            definition=self._definition,
            graph=graph,
            nodes=nodes,
            catalog=self._catalog,
            uses=check.uses,
            conditions=check.conditions,
            around=outer,
            container=container,
            whole=self._whole,
        )
        yield from graph_findings(view)
        yield from self._deeper(view)
        for node in graph.nodes:
            if node.kind in self._kinds and self._kinds[node.kind].body:
                yield from self._body(node, seen, view)

    def _deeper(self, view: GraphView) -> Iterator[Finding]:
        for level, checks in _OF_A_GRAPH.items():
            if level in self._levels:
                for check in checks:
                    yield from check(view)
        if view.around is None:
            for level, checks in _OF_A_WORKFLOW.items():
                if level in self._levels:
                    for check in checks:
                        yield from check(view)

    def _body(self, node: Node, around: Mapping[str, Node], outer: GraphView) -> Iterator[Finding]:
        if outer.depth == MAX_DEPTH:
            yield too_deep(node)
            return
        body = body_of(node)
        if isinstance(body, Graph):
            yield from map(Inside(node.id).told, self._graph(body, around, outer, node))
        else:
            yield from body
