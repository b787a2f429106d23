"""About how many nodes of a graph may run at the same time: changes when a better estimate is worth its work.

Each node runs once at a time, so what counts is how many lie side by side: as many steps from the beginning, on ways
that are taken together. Of the ways of a decision one is taken: each counts in part.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from domain.graphs import ERROR


class Way(NamedTuple):
    source: str
    handle: str
    target: str


def width(names: Collection[str], ways: Iterable[Way], together: Callable[[str], bool]) -> int:
    """`together`: whether all outputs of a node are taken, not one of them. What lies on a cycle is not counted."""
    outgoing: dict[str, list[Way]] = defaultdict(list)
    open_ways = dict.fromkeys(names, 0)
    for way in ways:
        outgoing[way.source].append(way)
        open_ways[way.target] += 1
    share = {name: 0.0 if count else 1.0 for name, count in open_ways.items()}
    level = dict.fromkeys(names, 0)
    beside: dict[int, float] = defaultdict(float)
    ready = [name for name, count in open_ways.items() if count == 0]
    while ready:
        name = ready.pop()
        share[name] = min(1.0, share[name])
        beside[level[name]] += share[name]
        taken = 1 if len(outgoing[name]) < 2 or together(name) else _choices(outgoing[name])
        for _, handle, target in outgoing[name]:
            share[target] += 0.0 if handle == ERROR else share[name] / taken
            level[target] = max(level[target], level[name] + 1)
            open_ways[target] -= 1
            if open_ways[target] == 0:
                ready.append(target)
    return round(max(beside.values(), default=1.0))


def _choices(ways: Iterable[Way]) -> int:
    return len({way.handle for way in ways if way.handle != ERROR}) or 1
