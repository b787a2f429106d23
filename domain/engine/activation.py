"""Steps come to be: one activation of a node, or its death."""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from domain.engine.commands import RunStep
from domain.engine.draft import Draft
from domain.engine.plan import Plan, PlannedEdge, PlannedNode
from domain.engine.scopes import ROOT, Scope, nth
from domain.engine.state import StepState, StepStatus
from domain.graphs import OUT

Settled: TypeAlias = deque[tuple[PlannedEdge, str | None, int]]
"""Edges to settle, with the path of the step that takes them, None for dead, and the round in which they do so."""


class Frame(Struct, frozen=True):
    """What a transition works on: one scope of a draft, the graph it walks, the event's time."""

    plan: Plan
    draft: Draft
    scope: Scope
    at: datetime

    def planned(self, path: str) -> PlannedNode:
        return self.plan.nodes[self.draft.steps[path].node]


def frame_of(root: Plan, draft: Draft, prefix: str, at: datetime) -> Frame:
    """The frame of the scope with this prefix."""
    scope = draft.scopes[prefix]
    return Frame(root.at(scope.trail), draft, scope, at)


def activate(frame: Frame, name: str, arriving: Sequence[PlannedEdge] = (), sources: Sequence[str] = ()) -> None:
    """Make a step of the node. `sources`: who takes the arriving edges, where the scope does not remember it."""
    path = _next_path(frame, name)
    came = sources or [path for path in [frame.scope.edges[edge.index] for edge in arriving] if path is not None]
    frame.draft.put(
        StepState(
            path=path,
            node=name,
            status=StepStatus.ACTIVE,
            scope=frame.scope.prefix,
            trail=frame.scope.trail,
            sources=tuple(came),
            via=tuple(edge.edge.source_handle for edge in arriving) if _named(arriving) else (),
            round=_round_of(frame, name, came),
            activated_at=frame.at,
        )
    )
    frame.draft.commands.append(RunStep(path=path, node=name, attempt=1))


def _round_of(frame: Frame, name: str, sources: Sequence[str]) -> int:
    """A node that runs once for every edge begins rounds; what follows belongs to the round it came from."""
    if not frame.plan.threads:
        return 0
    if frame.plan.nodes[name].multiple and len(frame.plan.nodes[name].incoming) > 1:
        return frame.scope.generations[name]
    return max((frame.draft.steps[path].round for path in sources), default=0)


def die(frame: Frame, name: str, queue: Settled, round: int = 0) -> None:
    """The node does not run in this round, nor does what depends on it alone."""
    path = _next_path(frame, name)
    frame.draft.put(
        StepState(
            path=path,
            node=name,
            status=StepStatus.SKIPPED,
            scope=frame.scope.prefix,
            trail=frame.scope.trail,
            round=round,
            activated_at=frame.at,
            settled_at=frame.at,
        )
    )
    queue.extend((edge, None, round) for edge in frame.plan.nodes[name].outgoing)


def open_steps(frame: Frame, nodes: Collection[str]) -> list[str]:
    steps, prefix = frame.draft.steps, frame.scope.prefix
    return [path for path in frame.draft.open if steps[path].scope == prefix and steps[path].node in nodes]


def _next_path(frame: Frame, name: str) -> str:
    scope = frame.scope
    generation = scope.generations.get(name, 0) + 1
    scope.generations[name] = generation
    path = nth(scope.prefix[:-1] if frame.plan.single else f"{scope.prefix}{name}", generation)
    scope.fired[name] = path
    if scope.prefix != ROOT:
        scope.paths.append(path)
    return path


def _named(arriving: Sequence[PlannedEdge]) -> bool:
    """Whether any of the edges leaves another handle than the usual one."""
    for edge in arriving:  # noqa: SIM110 - a generator would cost more than the comparison
        if edge.edge.source_handle != OUT:
            return True
    return False
