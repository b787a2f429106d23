"""Cycles while they run: a back edge begins a new pass, and a cycle that nothing runs in any more is left."""

from dataclasses import replace

from domain.engine.activation import Frame, Settled, activate, open_steps
from domain.engine.endings import end_or_break_off
from domain.engine.plan import Plan, PlannedEdge
from domain.engine.scopes import Failure
from domain.engine.state import Lifecycle
from domain.nodes import error_json


def again(frame: Frame, edge: PlannedEdge, source: str) -> None:
    """A back edge is taken: the part of the cycle from its target on starts a new pass."""
    scope = frame.scope
    passes = scope.passes.get(edge.index, 0) + 1
    scope.passes[edge.index] = passes
    limit = _limit(frame.plan, edge)
    if passes > limit:
        message = f"The edge from {edge.edge.source} back to {edge.edge.target} was taken {limit} times, its maximum"
        end_or_break_off(frame, Failure(error=error_json("MAX_ITERATIONS", message), path=source))
        return
    for path in open_steps(frame, edge.redo):
        frame.draft.cancel(path, frame.at)
    spent = {name for name in edge.redo if name in scope.fired}
    anew: set[int] = set()
    for name in edge.redo:
        scope.fired.pop(name, None)
        for outgoing in frame.plan.nodes[name].outgoing:
            if outgoing.exits is None:
                scope.edges.pop(outgoing.index, None)
                anew.add(outgoing.index)
    for name in edge.redo:
        settled = [scope.edges[index] for index in frame.plan.nodes[name].incoming if index in scope.edges]
        taken = 0 if name in spent else sum(path is not None for path in settled)  # what ran has used them up
        scope.arrived[name] = (taken, len(settled) - taken)
        came = scope.rounds.get(name, {}).get(frame.draft.steps[source].round)
        if came is not None:
            came.edges = {index: None if came.over else path for index, path in came.edges.items() if index not in anew}
            came.over = False
    activate(frame, edge.edge.target, (edge,), (source,))


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


def leave_cycles(frame: Frame, queue: Settled) -> bool:
    """Edges out of a cycle die only when nothing in it can run any more. True when some did."""
    scope = frame.scope
    if not frame.plan.cycles or frame.draft.lifecycle is not Lifecycle.RUNNING or scope.failure is not None:
        return False
    for cycle in frame.plan.cycles:
        waiting = [edge for edge in cycle.leaving if edge.index not in scope.edges]
        if not waiting or any(index not in scope.edges for index in cycle.entering):
            continue
        if open_steps(frame, cycle.nodes):
            continue
        if any(name in scope.fired for name in cycle.nodes):
            queue.extend((replace(edge, exits=None), None, 0) for edge in waiting)
    return bool(queue)
