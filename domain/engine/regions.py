"""What a `parallel` node has begun: its region of the graph, and where the branches come together again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.engine.cycles import Successors, reachable
from domain.engine.outcomes import ErrorHandling
from domain.graphs import JoinMode, Node
from domain.nodes import NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """`nodes` lie between the fork and `merge`, which is none of them; without a merge, everything that follows."""

    nodes: frozenset[str]
    merge: str | None
    error_handling: ErrorHandling


class InGraph(Protocol):
    @property
    def node(self) -> Node: ...
    @property
    def kind(self) -> NodeKind: ...


def region_of(fork: InGraph, nodes: Mapping[str, InGraph], forward: Successors) -> Region | None:
    """The region of a fork that handles errors or has a timeout; None for one that does not mind its branches.

    The branches come together at the first merge in the graph's order that two of them, or the only one, lead to and
    through which every other such merge is reached.
    """
    config = fork.node.config
    handling = ErrorHandling(str(config.get("errorHandling") or ErrorHandling.STOP))
    if handling is ErrorHandling.STOP and config.get("timeout") is None:
        return None
    branches = [reachable(forward, target) for _, target in forward[fork.node.id]]
    begun = frozenset[str]().union(*branches)
    wanted = min(2, len(branches))
    meeting = [
        name for name in begun if _joins(nodes[name], forward) and sum(name in branch for branch in branches) >= wanted
    ]
    reach = {name: reachable(forward, name) for name in meeting}
    merge = next((name for name in meeting if all(other in reach[name] for other in meeting)), None)
    inside = begun - reach[merge] if merge is not None else begun
    return Region(nodes=inside - {fork.node.id}, merge=merge, error_handling=handling)


def _joins(planned: InGraph, forward: Successors) -> bool:
    """Whether branches come together at this node."""
    if planned.kind.merges or planned.node.join not in (None, JoinMode.ALL):
        return True
    name = planned.node.id
    return sum(target == name for pairs in forward.values() for _, target in pairs) > 1
