"""Which nodes may have run before which: linear in nodes and edges, but for one bit per pair of nodes."""

from collections.abc import Iterable, Mapping, Sequence


class Order:
    """The order of a graph with these edges (source, target); nodes of one of its `cycles` come before one another."""

    def __init__(
        self, nodes: Iterable[str], edges: Sequence[tuple[str, str]], cycles: Sequence[frozenset[str]]
    ) -> None:
        self._bit = {name: 1 << at for at, name in enumerate(nodes)}
        self._before = self._ancestors(edges, cycles)

    def before(self, first: str, later: str) -> bool:
        """Whether a way leads from `first` to `later`; from a node to itself only on a cycle."""
        return bool(self._before[later] & self._bit[first])

    def _ancestors(self, edges: Sequence[tuple[str, str]], cycles: Sequence[frozenset[str]]) -> Mapping[str, int]:
        """For each node the bits of those that a way leads from, over the graph with its cycles drawn together."""
        head = {name: min(members) for members in cycles for name in members}
        own = {min(members): sum(self._bit[name] for name in members) for members in cycles}
        onward: dict[str, list[str]] = {name: [] for name in self._bit}
        open_edges = dict.fromkeys(self._bit, 0)
        for source, target in edges:
            from_, to = head.get(source, source), head.get(target, target)
            if from_ != to:
                onward[from_].append(to)
                open_edges[to] += 1
        before = {name: own.get(name, 0) for name in self._bit}
        ready = [name for name, count in open_edges.items() if count == 0]
        while ready:
            name = ready.pop()
            passed_on = before[name] | own.get(name, self._bit[name])
            for target in onward[name]:
                before[target] |= passed_on
                open_edges[target] -= 1
                if open_edges[target] == 0:
                    ready.append(target)
        return {name: before[head.get(name, name)] for name in self._bit}
