"""A definition compiled for running: everything about the graph that does not change while it runs.

A plan is made once per version and shared by all its executions; it is immutable.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.engine.cycles import Successors, ancestors_only_of, back_edges, components, reachable
from domain.graphs import Definition, Edge, FailureStrategy, JoinMode, Node
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
    `losers`: the nodes cancelled when this merge has fired. `tolerated_by`: the merge that bears this node's failure.
    """

    node: Node
    kind: NodeKind
    outgoing: tuple[PlannedEdge, ...]
    incoming: tuple[int, ...]
    need: int | None = None
    losers: frozenset[str] = frozenset()
    tolerated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    nodes: frozenset[str]
    entering: tuple[int, ...]
    leaving: tuple[PlannedEdge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    nodes: Mapping[str, PlannedNode]
    edges: tuple[PlannedEdge, ...]
    entries: tuple[str, ...]
    orphans: tuple[str, ...]
    cycles: tuple[Cycle, ...]
    strategy: FailureStrategy
    definition: Definition

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
    graph, kinds = definition.graph, catalog.kinds()
    successors: dict[str, list[tuple[int, str]]] = {node.id: [] for node in graph.nodes}
    for index, edge in enumerate(graph.edges):
        successors[edge.source].append((index, edge.target))
    entries = tuple(node.id for node in graph.nodes if kinds[node.kind].entry)
    closing = back_edges(successors, entries)
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
        )
        for node in graph.nodes
    }
    return Plan(
        nodes=_with_races(nodes, forward, kinds),
        edges=edges,
        entries=entries,
        orphans=tuple(name for name in nodes if not incoming[name] and name not in entries),
        cycles=tuple(_cycle(members, edges) for members in cycles),
        strategy=definition.settings.on_failure,
        definition=definition,
    )


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
        case JoinMode.ALL:
            return None
        case JoinMode.ANY | JoinMode.FIRST:
            return 1
        case JoinMode.N:
            count = node.config.get("n")
            return count if isinstance(count, int) else 1


def _with_races(
    nodes: Mapping[str, PlannedNode], forward: Successors, kinds: Mapping[str, NodeKind]
) -> Mapping[str, PlannedNode]:
    """Each race's losers, and whose failures a `first` merge bears; an inner race bears before an outer one."""
    losers = {name: ancestors_only_of(forward, name) for name, planned in nodes.items() if planned.need is not None}
    bearer: dict[str, str] = {}
    for name in sorted(losers, key=lambda merge: -len(losers[merge])):
        if join_mode(nodes[name].node, kinds[nodes[name].node.kind]) is JoinMode.FIRST:
            bearer |= dict.fromkeys(losers[name], name)
    return {
        name: PlannedNode(
            node=planned.node,
            kind=planned.kind,
            outgoing=planned.outgoing,
            incoming=planned.incoming,
            need=planned.need,
            losers=losers.get(name, frozenset()),
            tolerated_by=bearer.get(name),
        )
        for name, planned in nodes.items()
    }
