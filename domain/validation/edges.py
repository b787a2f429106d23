"""What can be wrong between nodes: edges, handles, cycles, entries, what is never reached."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from domain.engine.cycles import components
from domain.errors import Finding, Severity
from domain.graphs import ERROR, Edge, Graph, Node, OnError
from domain.nodes import NodeCatalog
from domain.validation.codes import found
from domain.validation.expressions import ExpressionCheck, Place
from domain.validation.schemas import did_you_mean
from domain.validation.views import GraphView

_SHOWN = 10


def edge_findings(
    graph: Graph, nodes: Mapping[str, Node], catalog: NodeCatalog, check: ExpressionCheck
) -> Iterator[Finding]:
    """Each edge by itself; findings about conditions go to `check`."""
    kinds = catalog.kinds()
    handles: dict[str, Sequence[str]] = {}
    seen: set[tuple[str, str, str, str, str | None]] = set()
    for at, edge in enumerate(graph.edges):
        path = ("edges", str(at))
        yield from _ends(edge, nodes, path)
        source, target = nodes.get(edge.source), nodes.get(edge.target)
        if source is not None and source.kind in kinds:
            if source.id not in handles:
                handles[source.id] = catalog.handles(source)
            yield from _source_handle(edge, source, handles[source.id], path)
        if target is not None and target.kind in kinds:
            yield from _target_handle(edge, target, kinds[target.kind].input_handles, path)
        if edge.condition is not None:
            check.condition(edge.condition, Place(path=(*path, "condition")))
        if edge.max_iterations is not None and edge.max_iterations < 1:
            message = f"maxIterations is {edge.max_iterations}; it is at least 1"
            remedy = "Say how often the edge may be taken in one execution."
            yield Finding(code="BAD_MAXIMUM", message=message, path=(*path, "maxIterations"), remedy=remedy)
        same = (edge.source, edge.source_handle, edge.target, edge.target_handle, edge.condition)
        if same in seen:
            message = f"There are two equal edges from {edge.source!r} to {edge.target!r}"
            yield _warning("DUPLICATE_EDGE", message, path, "Remove one of them.")
        seen.add(same)


def _ends(edge: Edge, nodes: Mapping[str, Node], path: tuple[str, ...]) -> Iterator[Finding]:
    for end, name in (("source", edge.source), ("target", edge.target)):
        if name not in nodes:
            yield Finding(
                code="DANGLING_EDGE",
                message=f"The edge from {edge.source[:80]!r} to {edge.target[:80]!r}: there is no node {name[:80]!r}",
                path=(*path, end),
                remedy=did_you_mean(name, nodes),
            )


def _source_handle(edge: Edge, source: Node, handles: Sequence[str], path: tuple[str, ...]) -> Iterator[Finding]:
    at = (*path, "sourceHandle")
    if edge.source_handle == ERROR:
        if source.on_error is not OnError.ROUTE:
            message = f"The edge from {source.id!r} on 'error' is never taken: its onError is {source.on_error.value!r}"
            yield _warning("ERROR_NOT_ROUTED", message, at, "Set the node's onError to 'route'.")
    elif edge.source_handle not in handles:
        message = f"The node {source.id!r} has no output {edge.source_handle!r}"
        remedy = f"Its outputs: {', '.join(handles)}." if handles else "Nothing can follow it."
        yield found("UNKNOWN_HANDLE", message, path=at, remedy=remedy)


def _target_handle(edge: Edge, target: Node, handles: Sequence[str], path: tuple[str, ...]) -> Iterator[Finding]:
    if edge.target_handle not in handles:
        message = f"The node {target.id!r} has no input {edge.target_handle!r}"
        remedy = f"Its inputs: {', '.join(handles)}." if handles else "An execution begins there."
        yield found("UNKNOWN_HANDLE", message, path=(*path, "targetHandle"), remedy=remedy)


def graph_findings(view: GraphView) -> Iterator[Finding]:
    """The graph as a whole; edges that lead nowhere are passed over. A body needs no trigger."""
    nodes, edges, kinds = view.nodes, view.edges, view.kinds
    entries = [node.id for node in nodes.values() if node.kind in kinds and kinds[node.kind].entry]
    if view.container is not None:
        yield from _begins_inside(nodes, edges, entries)
    elif not nodes:
        message, remedy = "The graph has no nodes", "Begin with a trigger node."
        yield Finding(code="EMPTY", message=message, path=("nodes",), remedy=remedy)
    elif not entries:
        remedy = "Add a node of the kind trigger and an edge from it to the first step."
        yield Finding(code="NO_ENTRY", message="No execution can begin", path=("nodes",), remedy=remedy)
    else:
        yield from _unreachable(nodes, edges, entries)
    yield from _cycles(view)
    yield from _error_routes(nodes, edges)
    yield from _merges(view)


def _begins_inside(
    nodes: Mapping[str, Node], edges: Sequence[tuple[int, Edge]], entries: Sequence[str]
) -> Iterator[Finding]:
    for name in entries:
        message = f"A body begins with the nodes that no edge leads to; {name!r} is for the workflow's beginning"
        yield Finding(code="ENTRY_INSIDE", message=message, node_id=name, path=("kind",), remedy="Leave it out.")
    targets = {edge.target for _, edge in edges}
    if nodes and not any(name not in targets for name in nodes):
        message, remedy = "No iteration can begin: an edge leads to every node", "Remove an edge, or add a node."
        yield Finding(code="NO_ENTRY", message=message, path=("nodes",), remedy=remedy)


def _unreachable(
    nodes: Mapping[str, Node], edges: Sequence[tuple[int, Edge]], entries: Sequence[str]
) -> Iterator[Finding]:
    targets: dict[str, list[str]] = defaultdict(list)
    for _, edge in edges:
        targets[edge.source].append(edge.target)
    reached, work = set(entries), list(entries)
    while work:
        fresh = [target for target in targets[work.pop()] if target not in reached]
        reached.update(fresh)
        work += fresh
    for name in nodes:
        if name not in reached:
            yield found("UNREACHABLE", f"The node {name!r} is never reached", node_id=name)


def _cycles(view: GraphView) -> Iterator[Finding]:
    nodes = view.nodes
    component = {name: number for number, members in enumerate(view.cycles) for name in members}
    unbounded: dict[str, list[tuple[int, str]]] = {name: [] for name in component}
    for at, edge in view.edges:
        inside = edge.source in component and component[edge.source] == component.get(edge.target)
        if edge.max_iterations is None and inside:
            unbounded[edge.source].append((at, edge.target))
        elif edge.max_iterations is not None and not inside:
            message = f"The edge from {edge.source!r} to {edge.target!r} closes no cycle"
            yield _warning("MAXIMUM_UNUSED", message, ("edges", str(at), "maxIterations"), "Remove it.")
    for members in components(unbounded):
        names = [name for name in nodes if name in members]
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        closing = next(at for name in reversed(names) for at, target in unbounded[name] if target in members)
        yield Finding(
            code="UNBOUNDED_CYCLE",
            message=f"These nodes form a cycle without a maximum: {shown}",
            node_id=None,
            path=("edges", str(closing), "maxIterations"),
            remedy="Give the edge that closes the cycle a maxIterations.",
        )


def _error_routes(nodes: Mapping[str, Node], edges: Sequence[tuple[int, Edge]]) -> Iterator[Finding]:
    routed = {edge.source for _, edge in edges if edge.source_handle == ERROR}
    for node in nodes.values():
        if node.on_error is OnError.ROUTE and node.id not in routed:
            yield Finding(
                severity=Severity.WARNING,
                code="ROUTE_WITHOUT_EDGE",
                message=f"{node.id!r} routes its error, but no edge leaves it on 'error'",
                node_id=node.id,
                path=("onError",),
                remedy="Add an edge with sourceHandle 'error', or choose 'continue'.",
            )


def _merges(view: GraphView) -> Iterator[Finding]:
    for node in view.nodes.values():
        kind, count = view.kinds.get(node.kind), node.config.get("n")
        incoming = len(view.incoming.get(node.id, ()))
        if kind is not None and kind.merges and isinstance(count, int) and count > incoming:
            yield Finding(
                severity=Severity.WARNING,
                code="BAD_JOIN",
                message=f"{node.id!r} waits for {count} edges and has {incoming}",
                node_id=node.id,
                path=("config", "n"),
                remedy="Lower n, or lead more edges to it.",
            )


def _warning(code: str, message: str, path: tuple[str, ...], remedy: str) -> Finding:
    return Finding(severity=Severity.WARNING, code=code, message=message, path=path, remedy=remedy)
