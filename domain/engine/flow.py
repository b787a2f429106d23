"""How settled steps move a graph on: edges taken and dead, joins, races, cycles, the end.

Every function changes a Draft. Propagation is a work list, never recursion: a chain may have 10,000 nodes.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.engine.commands import RunStep
from domain.engine.draft import Draft
from domain.engine.outcomes import ErrorHandling
from domain.engine.plan import Plan, PlannedEdge, PlannedNode
from domain.engine.scopes import ROOT, Failure, Scope, nth
from domain.engine.state import Lifecycle, StepState, StepStatus
from domain.graphs import OUT, FailureStrategy
from domain.json import JSON, JSONObject
from domain.nodes import error_json

Settled = deque[tuple[PlannedEdge, str | None]]
"""Edges to settle, with the path of the step that takes them, None for dead."""


@dataclass(frozen=True, slots=True)
class Frame:
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


def begin(frame: Frame, entry: str | None = None) -> None:
    """Activate the entries (or the one named); every other node without incoming edges is dead."""
    queue: Settled = deque()
    for name in frame.plan.entries:
        if entry is None or name == entry:
            _activate(frame, name)
        else:
            _die(frame, name, queue)
    for name in frame.plan.orphans:
        _die(frame, name, queue)
    _propagate(frame, queue)


def settle(frame: Frame, path: str, handles: Collection[str], decisions: Mapping[str, JSON]) -> None:
    """A step is over: take the edges of `handles` whose condition was true, let the others die.

    `decisions` maps the index of a conditional edge to true, false, or an error object when it failed.
    """
    queue: Settled = deque()
    failed: JSONObject | None = None
    for edge in frame.planned(path).outgoing:
        taken: JSON = edge.edge.source_handle in handles
        if taken and edge.edge.condition is not None:
            taken = decisions.get(str(edge.index), False)
        if isinstance(taken, Mapping):
            failed, taken = failed or taken, False
        queue.append((edge, path if taken else None))
    if failed is not None:
        fail(frame, path, failed)
        return
    _propagate(frame, queue)


def fail(frame: Frame, path: str, error: JSONObject) -> None:
    """A failure nothing in the graph takes up: a merge or parallel bears it, the rest goes on, or the graph ends."""
    planned, draft, scope = frame.planned(path), frame.draft, frame.scope
    failure = Failure(error=error, path=path)
    bearer = planned.tolerated_by
    if bearer is not None:
        scope.tolerated[bearer] = (*scope.tolerated.get(bearer, ()), failure)
    elif scope.prefix != ROOT:
        break_off(frame, failure)
        return
    elif frame.plan.strategy is FailureStrategy.CONTINUE:
        draft.failure = draft.failure or failure
    else:
        end(draft, failure, frame.at)
        return
    _propagate(frame, deque((edge, None) for edge in planned.outgoing))


def break_off(frame: Frame, failure: Failure) -> None:
    """The iteration has failed: what still runs of it is cancelled."""
    frame.scope.failure = frame.scope.failure or failure
    for path in [path for path in frame.scope.paths if path in frame.draft.open]:
        frame.draft.cancel(path, frame.at)


def end(draft: Draft, failure: Failure | None, at: datetime) -> None:
    """Stop: nothing new starts, what is open is cancelled. Without a failure it is a cancellation."""
    if draft.lifecycle is not Lifecycle.RUNNING:
        return
    draft.lifecycle = Lifecycle.ENDING
    draft.failure = draft.failure or failure
    for path in list(draft.open):
        if path in draft.open:
            draft.cancel(path, at)


def withdraw(frame: Frame, nodes: Collection[str]) -> None:
    """The open steps of these nodes are no longer wanted: they are cancelled and their edges die."""
    if frame.draft.lifecycle is not Lifecycle.RUNNING or frame.scope.failure is not None:
        return
    queue: Settled = deque()
    for path in _open_steps(frame, nodes):
        frame.draft.cancel(path, frame.at)
        queue.extend((edge, None) for edge in frame.planned(path).outgoing)
    for name in frame.plan.nodes:
        if name in nodes and name not in frame.scope.fired:
            _die(frame, name, queue)
    _propagate(frame, queue)


def overdue(frame: Frame, path: str) -> None:
    """What a `parallel` has begun has not come together in time: what still runs of it is cancelled."""
    region = frame.planned(path).region
    if region is None:
        return
    late = _open_steps(frame, region.nodes)
    if not late:
        return
    message = f"What {frame.draft.steps[path].node} began took longer than its timeout"
    failure = Failure(error=error_json("PARALLEL_TIMEOUT", message), path=path)
    if region.error_handling is ErrorHandling.STOP:
        fail(frame, path, failure.error)
    else:
        name = frame.draft.steps[path].node
        borne = tuple(replace(failure, path=each) for each in late)
        frame.scope.tolerated[name] = (*frame.scope.tolerated.get(name, ()), *borne)
    withdraw(frame, region.nodes)


def _open_steps(frame: Frame, nodes: Collection[str]) -> list[str]:
    steps, prefix = frame.draft.steps, frame.scope.prefix
    return [path for path in frame.draft.open if steps[path].scope == prefix and steps[path].node in nodes]


def _propagate(frame: Frame, queue: Settled) -> None:
    while True:
        while queue:
            edge, source = queue.popleft()
            if frame.draft.lifecycle is not Lifecycle.RUNNING or frame.scope.failure is not None:
                return
            if edge.back:
                if source is not None:
                    _again(frame, edge, source)
            elif source is not None:
                _take(frame, edge, source, queue)
            elif edge.exits is None:
                _kill(frame, edge, queue)
        if not _leave_cycles(frame, queue):
            return


def _take(frame: Frame, edge: PlannedEdge, source: str, queue: Settled) -> None:
    target, scope = edge.edge.target, frame.scope
    before = edge.index in scope.edges
    scope.edges[edge.index] = source
    if before or frame.plan.nodes[target].multiple:
        if not before:
            taken, dead = scope.arrived.get(target, (0, 0))
            scope.arrived[target] = (taken + 1, dead)
        _activate(frame, target, (edge,))
        return
    taken, dead = scope.arrived.get(target, (0, 0))
    scope.arrived[target] = (taken + 1, dead)
    _consider(frame, target, edge, queue)


def _kill(frame: Frame, edge: PlannedEdge, queue: Settled) -> None:
    scope = frame.scope
    if edge.index in scope.edges:
        return
    scope.edges[edge.index] = None
    taken, dead = scope.arrived.get(edge.edge.target, (0, 0))
    scope.arrived[edge.edge.target] = (taken, dead + 1)
    _consider(frame, edge.edge.target, None, queue)


def _consider(frame: Frame, name: str, arriving: PlannedEdge | None, queue: Settled) -> None:
    """Run the node, let it die, or let it wait for more of its edges."""
    scope, planned = frame.scope, frame.plan.nodes[name]
    if name in scope.fired:
        return
    taken, dead = scope.arrived[name]
    settled = taken + dead == len(planned.incoming)
    if planned.need is None and settled and taken:
        _activate(frame, name, _came(frame, planned))
    elif planned.need is not None and taken >= planned.need and arriving is not None:
        _activate(frame, name, _came(frame, planned) if planned.need > 1 else (arriving,))
        _end_race(frame, name, queue)
    elif settled:
        _come_to_nothing(frame, planned, queue)


def _came(frame: Frame, planned: PlannedNode) -> list[PlannedEdge]:
    edges = frame.scope.edges
    return [frame.plan.edges[index] for index in planned.incoming if edges.get(index) is not None]


def _come_to_nothing(frame: Frame, planned: PlannedNode, queue: Settled) -> None:
    """Not enough came. Where failures were borne they are collected, or now count; else the node is skipped."""
    name = planned.node.id
    fork = frame.plan.nodes[planned.gathers].region if planned.gathers else None
    borne = frame.scope.tolerated.get(planned.gathers or name, ())
    if borne and fork is not None and fork.error_handling is ErrorHandling.COLLECT:
        _activate(frame, name)
    elif borne:
        _end_or_break_off(frame, borne[0])
    else:
        _die(frame, name, queue)


def _end_or_break_off(frame: Frame, failure: Failure) -> None:
    if frame.scope.prefix == ROOT:
        end(frame.draft, failure, frame.at)
    else:
        break_off(frame, failure)


def _activate(frame: Frame, name: str, arriving: Sequence[PlannedEdge] = (), source: str | None = None) -> None:
    """Make a step of the node. `source` is the path that takes a back edge, whose taking is not remembered."""
    path = _next_path(frame, name)
    sources = [source] if source is not None else [frame.scope.edges[edge.index] for edge in arriving]
    frame.draft.put(
        StepState(
            path=path,
            node=name,
            status=StepStatus.ACTIVE,
            scope=frame.scope.prefix,
            trail=frame.scope.trail,
            sources=tuple(path for path in sources if path is not None),
            via=tuple(edge.edge.source_handle for edge in arriving) if _named(arriving) else (),
            activated_at=frame.at,
        )
    )
    frame.draft.commands.append(RunStep(path=path, node=name, attempt=1))


def _named(arriving: Sequence[PlannedEdge]) -> bool:
    """Whether any of the edges leaves another handle than the usual one."""
    return any(edge.edge.source_handle != OUT for edge in arriving)


def _next_path(frame: Frame, name: str) -> str:
    scope = frame.scope
    generation = scope.generations.get(name, 0) + 1
    scope.generations[name] = generation
    path = nth(scope.prefix[:-1] if frame.plan.single else f"{scope.prefix}{name}", generation)
    scope.fired[name] = path
    if scope.prefix != ROOT:
        scope.paths.append(path)
    return path


def _die(frame: Frame, name: str, queue: Settled) -> None:
    path = _next_path(frame, name)
    frame.draft.put(
        StepState(
            path=path,
            node=name,
            status=StepStatus.SKIPPED,
            scope=frame.scope.prefix,
            trail=frame.scope.trail,
            activated_at=frame.at,
            settled_at=frame.at,
        )
    )
    queue.extend((edge, None) for edge in frame.plan.nodes[name].outgoing)


def _end_race(frame: Frame, name: str, queue: Settled) -> None:
    """The merge has what it needs: its losers are cancelled where they run and skipped where they have not begun."""
    losers = frame.plan.nodes[name].losers
    for path in _open_steps(frame, losers):
        frame.draft.cancel(path, frame.at)
    for loser in frame.plan.nodes:
        if loser in losers and loser not in frame.scope.fired:
            _die(frame, loser, queue)


def _again(frame: Frame, edge: PlannedEdge, source: str) -> None:
    """A back edge is taken: the part of the cycle from its target on starts a new pass."""
    scope = frame.scope
    passes = scope.passes.get(edge.index, 0) + 1
    scope.passes[edge.index] = passes
    limit = _limit(frame.plan, edge)
    if passes > limit:
        message = f"The edge from {edge.edge.source} back to {edge.edge.target} was taken {limit} times, its maximum"
        _end_or_break_off(frame, Failure(error=error_json("MAX_ITERATIONS", message), path=source))
        return
    for path in _open_steps(frame, edge.redo):
        frame.draft.cancel(path, frame.at)
    spent = {name for name in edge.redo if name in scope.fired}
    for name in edge.redo:
        scope.fired.pop(name, None)
        for outgoing in frame.plan.nodes[name].outgoing:
            if outgoing.exits is None:
                scope.edges.pop(outgoing.index, None)
    for name in edge.redo:
        settled = [scope.edges[index] for index in frame.plan.nodes[name].incoming if index in scope.edges]
        taken = 0 if name in spent else sum(path is not None for path in settled)  # what ran has used them up
        scope.arrived[name] = (taken, len(settled) - taken)
    _activate(frame, edge.edge.target, (edge,), source)


def _limit(plan: Plan, edge: PlannedEdge) -> int:
    """The edge's own maximum, else the smallest on its cycle; validation has seen to one."""
    if edge.edge.max_iterations is not None:
        return edge.edge.max_iterations
    members = next(cycle.nodes for cycle in plan.cycles if edge.edge.source in cycle.nodes)
    limits = [
        planned.edge.max_iterations
        for planned in plan.edges
        if planned.edge.max_iterations is not None and planned.edge.source in members and planned.edge.target in members
    ]
    return min(limits, default=1)


def _leave_cycles(frame: Frame, queue: Settled) -> bool:
    """Edges out of a cycle die only when nothing in it can run any more. True when some did."""
    if frame.draft.lifecycle is not Lifecycle.RUNNING or frame.scope.failure is not None:
        return False
    scope = frame.scope
    for cycle in frame.plan.cycles:
        waiting = [edge for edge in cycle.leaving if edge.index not in scope.edges]
        if not waiting or any(index not in scope.edges for index in cycle.entering):
            continue
        if _open_steps(frame, cycle.nodes):
            continue
        if any(name in scope.fired for name in cycle.nodes):
            queue.extend((replace(edge, exits=None), None) for edge in waiting)
    return bool(queue)
