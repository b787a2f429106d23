"""A definition compiled for running: everything about the graph that does not change while it runs.

A plan is made once per version and shared by all its executions; it is immutable.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.engine.bodies import body_of
from domain.engine.cycles import Successors, ancestors_only_of, back_edges, components, reachable
from domain.engine.outcomes import ErrorHandling
from domain.engine.regions import Region, region_of
from domain.engine.scopes import Trail
from domain.graphs import Definition, Edge, FailureStrategy, Graph, JoinMode, Node, OnError
from domain.nodes import NodeCatalog, NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEdge:
    """`back`: it closes a cycle. `exits`: the number of the cycle it leaves. `redo`: what a back edge starts anew."""

    index: int
    edge: Edge
    back: bool = False
    exits: int | None = None
    redo: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """`incoming` counts the edges a join waits for (back edges are none of them).

    `need`: how many of them must be taken before the node runs without waiting for the rest (None: wait for all).
    `multiple`: it runs once for every edge taken. `losers`: the nodes cancelled when this merge has fired.
    `tolerated_by`: the merge or parallel that bears this node's failure. `gathers`: the parallel whose borne failures
    come together here. `region`: what a parallel has begun. `single`: its body is itself (`each`).
    """

    node: Node
    kind: NodeKind
    outgoing: tuple[PlannedEdge, ...]
    incoming: tuple[int, ...]
    need: int | None = None
    multiple: bool = False
    losers: frozenset[str] = frozenset()
    tolerated_by: str | None = None
    gathers: str | None = None
    region: Region | None = None
    body: "Plan | None" = None
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    nodes: frozenset[str]
    entering: tuple[int, ...]
    leaving: tuple[PlannedEdge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One graph. Only a definition's own plan has the next two.

    `bodies`: all the graphs in it by their trail, itself at `()`; `undoable`: the nodes whose steps a failure undoes.

    `single`: it is the one node of an `each`, whose steps are named after the iteration. `threads`: several may run
    through it, behind a node that runs once for every edge.
    """

    nodes: Mapping[str, PlannedNode]
    edges: tuple[PlannedEdge, ...]
    entries: tuple[str, ...]
    orphans: tuple[str, ...]
    cycles: tuple[Cycle, ...]
    strategy: FailureStrategy
    definition: Definition
    single: bool = False
    threads: bool = False
    bodies: Mapping[Trail, "Plan"] = field(default_factory=dict[Trail, "Plan"])
    undoable: frozenset[tuple[Trail, str]] = frozenset()

    def at(self, trail: Trail) -> "Plan":
        """The graph inside these containers."""
        return self.bodies[trail] if trail else self

    def downstream(self, node: str) -> frozenset[str]:
        """The node and everything that may run because of it."""
        seen = {node}
        work = [node]
        while work:
            for edge in self.nodes[work.pop()].outgoing:
                if edge.edge.target not in seen:
                    seen.add(edge.edge.target)
                    work.append(edge.edge.target)
        return frozenset(seen)


def compile_plan(definition: Definition, catalog: NodeCatalog) -> Plan:
    """Plan a validated definition; a graph with errors raises KeyError, which is a bug of the caller."""
    plan = _plan(definition.graph, definition, catalog.kinds(), inside=False)
    bodies = dict(_all_bodies(plan, ()))
    return replace(plan, bodies=bodies, undoable=frozenset(_undoable(bodies)))


def _undoable(bodies: Mapping[Trail, "Plan"]) -> Iterator[tuple[Trail, str]]:
    for trail, body in bodies.items():
        for name, planned in body.nodes.items():
            undone = body.strategy is FailureStrategy.COMPENSATE and planned.node.compensation is not None
            if undone and not planned.single:
                yield trail, name


def _all_bodies(plan: Plan, trail: Trail) -> Iterator[tuple[Trail, Plan]]:
    yield trail, plan
    for name, planned in plan.nodes.items():
        if planned.body is not None:
            yield from _all_bodies(planned.body, (*trail, name))


def _plan(graph: Graph, definition: Definition, kinds: Mapping[str, NodeKind], *, inside: bool) -> Plan:
    successors: dict[str, list[tuple[int, str]]] = {node.id: [] for node in graph.nodes}
    for index, edge in enumerate(graph.edges):
        successors[edge.source].append((index, edge.target))
    entries = tuple(node.id for node in graph.nodes if kinds[node.kind].entry)
    bounded = frozenset(index for index, edge in enumerate(graph.edges) if edge.max_iterations is not None)
    closing = back_edges(successors, entries, bounded)
    cycles = components(successors)
    edges = _plan_edges(graph.edges, successors, closing, cycles)
    outgoing: dict[str, list[PlannedEdge]] = defaultdict(list)
    incoming: dict[str, list[int]] = defaultdict(list)
    for planned in edges:
        outgoing[planned.edge.source].append(planned)
        if not planned.back:
            incoming[planned.edge.target].append(planned.index)
    forward = {node: [pair for pair in pairs if pair[0] not in closing] for node, pairs in successors.items()}
    nodes = {
        node.id: PlannedNode(
            node=node,
            kind=kinds[node.kind],
            outgoing=tuple(outgoing[node.id]),
            incoming=tuple(incoming[node.id]),
            need=_need(node, kinds[node.kind]),
            multiple=join_mode(node, kinds[node.kind]) is JoinMode.EACH,
            body=_body(node, definition, kinds),
            single=node.each is not None,
        )
        for node in graph.nodes
    }
    loose = tuple(name for name in nodes if not incoming[name] and name not in entries)
    return Plan(
        nodes=_with_regions(_with_races(nodes, forward), forward),
        edges=edges,
        entries=(*entries, *loose) if inside else entries,
        orphans=() if inside else loose,
        cycles=tuple(_cycle(members, edges) for members in cycles),
        threads=any(planned.multiple for planned in nodes.values()),
        strategy=definition.settings.on_failure,
        definition=definition,
    )


def _body(node: Node, definition: Definition, kinds: Mapping[str, NodeKind]) -> Plan | None:
    """The graph inside the node: a loop's body, or, with `each`, the node itself once."""
    if node.each is not None:
        once = replace(node, each=None, on_error=OnError.FAIL, compensation=node.compensation, join=None)
        return replace(_plan(Graph(nodes=(once,)), definition, kinds, inside=True), single=True)
    graph = body_of(node) if kinds[node.kind].body else None
    return _plan(graph, definition, kinds, inside=True) if graph is not None else None


def _plan_edges(
    edges: Sequence[Edge], successors: Successors, closing: frozenset[int], cycles: Sequence[frozenset[str]]
) -> tuple[PlannedEdge, ...]:
    cycle_of = {node: number for number, members in enumerate(cycles) for node in members}
    forward = {node: [pair for pair in pairs if pair[0] not in closing] for node, pairs in successors.items()}
    planned: list[PlannedEdge] = []
    for index, edge in enumerate(edges):
        number = cycle_of.get(edge.source)
        if index in closing and number is not None:
            redo = reachable(forward, edge.target, within=cycles[number])
            planned.append(PlannedEdge(index=index, edge=edge, back=True, redo=redo))
        else:
            leaves = number is not None and cycle_of.get(edge.target) != number
            planned.append(PlannedEdge(index=index, edge=edge, exits=number if leaves else None))
    return tuple(planned)


def _cycle(members: frozenset[str], edges: Sequence[PlannedEdge]) -> Cycle:
    return Cycle(
        nodes=members,
        entering=tuple(
            planned.index for planned in edges if planned.edge.target in members and planned.edge.source not in members
        ),
        leaving=tuple(
            planned for planned in edges if planned.edge.source in members and planned.edge.target not in members
        ),
    )


def join_mode(node: Node, kind: NodeKind) -> JoinMode:
    """A merge says its mode in its config, any other node in `join`."""
    if kind.merges:
        return JoinMode(str(node.config.get("mode") or JoinMode.ALL))
    return node.join or JoinMode.ALL


def _need(node: Node, kind: NodeKind) -> int | None:
    match join_mode(node, kind):
        case JoinMode.ALL | JoinMode.EACH:
            return None
        case JoinMode.ANY | JoinMode.FIRST:
            return 1
        case JoinMode.N:
            count = node.config.get("n")
            return count if isinstance(count, int) else 1


def _with_races(nodes: Mapping[str, PlannedNode], forward: Successors) -> Mapping[str, PlannedNode]:
    """Each race's losers, and whose failures a `first` merge bears; an inner race bears before an outer one."""
    racing = {name: planned for name, planned in nodes.items() if planned.need is not None}
    before = {name: ancestors_only_of(forward, name) for name in racing}
    bearer: dict[str, str] = {}
    for name in sorted(before, key=lambda merge: -len(before[merge])):
        if join_mode(nodes[name].node, nodes[name].kind) is JoinMode.FIRST:
            bearer |= dict.fromkeys(before[name], name)
    return {
        name: replace(
            planned,
            losers=before[name] if name in before and planned.node.config.get("cancel") is not False else frozenset(),
            tolerated_by=bearer.get(name),
        )
        for name, planned in nodes.items()
    }


def _with_regions(nodes: Mapping[str, PlannedNode], forward: Successors) -> Mapping[str, PlannedNode]:
    """What each `parallel` that minds its branches has begun, where it comes together, and whose failures it bears."""
    changed = dict(nodes)
    regions = {name: region_of(planned, nodes, forward) for name, planned in nodes.items() if planned.kind.forks}
    found = {name: region for name, region in regions.items() if region is not None}
    for name in sorted(found, key=lambda fork: -len(found[fork].nodes)):  # an inner one bears before an outer one
        region = found[name]
        changed[name] = replace(changed[name], region=region)
        if region.merge is not None and region.error_handling is not ErrorHandling.STOP:
            changed[region.merge] = replace(changed[region.merge], gathers=name)
        for inside in region.nodes:
            if region.error_handling is not ErrorHandling.STOP:
                changed[inside] = replace(changed[inside], tolerated_by=name)
    return changed
