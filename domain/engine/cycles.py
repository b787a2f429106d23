"""Cycles of a graph: which nodes lie on one, and which edges close it.

Works on node names and edge pairs alone. Everything here is linear in nodes and edges and iterative, because a
chain of 10,000 nodes is a graph that people draw.
"""

from collections.abc import Mapping, Sequence

Successors = Mapping[str, Sequence[tuple[int, str]]]
"""For each node its outgoing edges: (edge index, target)."""


def components(successors: Successors) -> tuple[frozenset[str], ...]:
    """The strongly connected components that hold a cycle (Tarjan 1972, iterative)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[frozenset[str]] = []
    for root in successors:
        if root in index:
            continue
        work: list[tuple[str, int]] = [(root, 0)]
        while work:
            node, position = work.pop()
            if position == 0:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
            edges = successors[node]
            for offset in range(position, len(edges)):
                target = edges[offset][1]
                if target not in index:
                    work += [(node, offset + 1), (target, 0)]
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = _pop_until(stack, on_stack, node)
                    if len(component) > 1 or any(target == node for _, target in edges):
                        found.append(component)
    return tuple(found)


def _pop_until(stack: list[str], on_stack: set[str], node: str) -> frozenset[str]:
    start = len(stack) - 1
    while stack[start] != node:
        start -= 1
    component = stack[start:]
    del stack[start:]
    on_stack.difference_update(component)
    return frozenset(component)


def back_edges(successors: Successors, entries: Sequence[str], bounded: frozenset[int] = frozenset()) -> frozenset[int]:
    """The edges that close the cycles: without them the graph is acyclic, whatever the entries.

    First the `bounded` ones, whose drawer has said how often they are taken, as far as what they lead to is reached
    without them too; then those that lead back to a node still being explored, depth first from the entries in
    document order.
    """
    meant = _closing(successors, entries, bounded)
    if meant:
        rest = {node: [pair for pair in pairs if pair[0] not in meant] for node, pairs in successors.items()}
        return meant | back_edges(rest, entries)
    closing: set[int] = set()
    done: set[str] = set()
    for root in (*entries, *successors):
        if root in done:
            continue
        open_nodes = {root}
        work: list[tuple[str, int]] = [(root, 0)]
        while work:
            node, offset = work.pop()
            edges = successors[node]
            if offset == len(edges):
                open_nodes.discard(node)
                done.add(node)
                continue
            work.append((node, offset + 1))
            edge, target = edges[offset]
            if target in open_nodes:
                closing.add(edge)
            elif target not in done:
                open_nodes.add(target)
                work.append((target, 0))
    return frozenset(closing)


def _closing(successors: Successors, entries: Sequence[str], bounded: frozenset[int]) -> frozenset[int]:
    """Those of the bounded edges that lie on a cycle and are not the way into it."""
    if not bounded:
        return frozenset()
    lying = {node: number for number, cycle in enumerate(components(successors)) for node in cycle}
    inside = {
        edge: target
        for node, pairs in successors.items()
        for edge, target in pairs
        if edge in bounded and node in lying and lying[node] == lying.get(target)
    }
    rest = {node: [pair for pair in pairs if pair[0] not in inside] for node, pairs in successors.items()}
    seen: set[str] = set()
    for entry in entries:
        seen |= reachable(rest, entry)
    return frozenset(edge for edge, target in inside.items() if target in seen)


def reachable(successors: Successors, start: str, *, within: frozenset[str] | None = None) -> frozenset[str]:
    """Every node on a path from `start`, itself included, never leaving `within`."""
    seen = {start}
    work = [start]
    while work:
        for _, target in successors[work.pop()]:
            if target not in seen and (within is None or target in within):
                seen.add(target)
                work.append(target)
    return frozenset(seen)


def ancestors_only_of(successors: Successors, merge: str) -> frozenset[str]:
    """The nodes whose every way onward leads into `merge`: what a race's winner makes superfluous."""
    predecessors: dict[str, list[str]] = {node: [] for node in successors}
    for node, edges in successors.items():
        for _, target in edges:
            predecessors[target].append(node)
    candidates: set[str] = set()
    work = [merge]
    while work:
        for node in predecessors[work.pop()]:
            if node != merge and node not in candidates:
                candidates.add(node)
                work.append(node)
    outside = [
        node
        for node in candidates
        if any(target != merge and target not in candidates for _, target in successors[node])
    ]
    while outside:
        node = outside.pop()
        if node in candidates:
            candidates.discard(node)
            outside += [before for before in predecessors[node] if before in candidates]
    return frozenset(candidates)
