"""How settled steps move an execution on: edges taken and dead, joins, races, cycles, the end.

Every function changes a Draft. Propagation is a work list, never recursion: a chain may have 10,000 nodes.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from domain.engine.commands import Ending, Finish, RunStep
from domain.engine.draft import Draft
from domain.engine.plan import Plan, PlannedEdge
from domain.engine.results import execution_output
from domain.engine.state import Failure, Lifecycle, StepState, StepStatus
from domain.graphs import FailureStrategy
from domain.json import JSON, JSONObject
from domain.nodes import error_json

Settled = deque[tuple[PlannedEdge, str | None]]
"""Edges to settle, with the path of the step that takes them, None for dead."""


def begin(plan: Plan, draft: Draft, at: datetime, entry: str | None) -> None:
    """Activate the entries (or the one named); every other node without incoming edges is dead."""
    queue: Settled = deque()
    for name in plan.entries:
        if entry is None or name == entry:
            _activate(plan, draft, name, (), at)
        else:
            _die(plan, draft, name, at, queue)
    for name in plan.orphans:
        _die(plan, draft, name, at, queue)
    _propagate(plan, draft, queue, at)


def settle(
    plan: Plan, draft: Draft, path: str, handles: Collection[str], decisions: Mapping[str, JSON], at: datetime
) -> None:
    """A step is over: take the edges of `handles` whose condition was true, let the others die.

    `decisions` maps the index of a conditional edge to true, false, or an error object when it failed.
    """
    planned = plan.nodes[draft.steps[path].node]
    queue: Settled = deque()
    failed: JSONObject | None = None
    for edge in planned.outgoing:
        taken: JSON = edge.edge.source_handle in handles
        if taken and edge.edge.condition is not None:
            taken = decisions.get(str(edge.index), False)
        if isinstance(taken, Mapping):
            failed, taken = failed or taken, False
        queue.append((edge, path if taken else None))
    if failed is not None:
        fail(plan, draft, path, failed, at)
        return
    _propagate(plan, draft, queue, at)


def fail(plan: Plan, draft: Draft, path: str, error: JSONObject, at: datetime) -> None:
    """A failure nothing in the graph takes up: a merge bears it, the rest goes on, or the execution ends."""
    planned = plan.nodes[draft.steps[path].node]
    failure = Failure(error=error, path=path)
    bearer = planned.tolerated_by
    if bearer is not None:
        draft.tolerated[bearer] = (*draft.tolerated.get(bearer, ()), failure)
    elif plan.strategy is FailureStrategy.CONTINUE:
        draft.failure = draft.failure or failure
    else:
        end(draft, failure, at)
        return
    _propagate(plan, draft, deque((edge, None) for edge in planned.outgoing), at)


def end(draft: Draft, failure: Failure | None, at: datetime) -> None:
    """Stop: nothing new starts, what is open is cancelled. Without a failure it is a cancellation."""
    if draft.lifecycle is not Lifecycle.RUNNING:
        return
    draft.lifecycle = Lifecycle.ENDING
    draft.failure = failure
    for path in list(draft.open):
        draft.cancel(path, at)


def conclude(plan: Plan, draft: Draft) -> None:
    """Ask for the terminal event when nothing is open any more."""
    if draft.open or draft.lifecycle.terminal or draft.lifecycle is Lifecycle.NEW:
        return
    if draft.failure is not None:
        draft.commands.append(Finish(ending=Ending.FAILED, error=draft.failure.error, path=draft.failure.path))
    elif draft.lifecycle is Lifecycle.ENDING:
        draft.commands.append(Finish(ending=Ending.CANCELLED))
    else:
        output = execution_output(plan, draft.steps, draft.edges, draft.results)
        draft.commands.append(Finish(ending=Ending.COMPLETED, output=output))


def _propagate(plan: Plan, draft: Draft, queue: Settled, at: datetime) -> None:
    while True:
        while queue:
            edge, source = queue.popleft()
            if draft.lifecycle is not Lifecycle.RUNNING:
                return
            if edge.back:
                if source is not None:
                    _again(plan, draft, edge, source, at)
            elif source is not None:
                _take(plan, draft, edge, source, at, queue)
            elif edge.exits is None:
                _kill(plan, draft, edge, at, queue)
        if not _leave_cycles(plan, draft, queue):
            return


def _take(plan: Plan, draft: Draft, edge: PlannedEdge, source: str, at: datetime, queue: Settled) -> None:
    target = edge.edge.target
    before = edge.index in draft.edges
    draft.edges[edge.index] = source
    if before:
        _activate(plan, draft, target, (source,), at)
        return
    taken, dead = draft.arrived.get(target, (0, 0))
    draft.arrived[target] = (taken + 1, dead)
    _consider(plan, draft, target, source, at, queue)


def _kill(plan: Plan, draft: Draft, edge: PlannedEdge, at: datetime, queue: Settled) -> None:
    if edge.index in draft.edges:
        return
    draft.edges[edge.index] = None
    taken, dead = draft.arrived.get(edge.edge.target, (0, 0))
    draft.arrived[edge.edge.target] = (taken, dead + 1)
    _consider(plan, draft, edge.edge.target, None, at, queue)


def _consider(plan: Plan, draft: Draft, name: str, source: str | None, at: datetime, queue: Settled) -> None:
    """Run the node, let it die, or let it wait for more of its edges."""
    if name in draft.fired:
        return
    planned = plan.nodes[name]
    taken, dead = draft.arrived[name]
    settled = taken + dead == len(planned.incoming)
    if planned.need is None:
        if settled and taken:
            sources = (draft.edges[index] for index in planned.incoming)
            _activate(plan, draft, name, tuple(path for path in sources if path is not None), at)
        elif settled:
            _die(plan, draft, name, at, queue)
    elif taken >= planned.need and source is not None:
        sources = tuple(path for path in (draft.edges.get(index) for index in planned.incoming) if path is not None)
        _activate(plan, draft, name, sources if planned.need > 1 else (source,), at)
        _end_race(plan, draft, name, at, queue)
    elif settled:
        borne = draft.tolerated.get(name)
        if borne:
            end(draft, borne[0], at)
        else:
            _die(plan, draft, name, at, queue)


def _activate(plan: Plan, draft: Draft, name: str, sources: tuple[str, ...], at: datetime) -> None:
    generation = draft.generations.get(name, 0) + 1
    draft.generations[name] = generation
    path = name if generation == 1 else f"{name}#{generation}"
    draft.fired[name] = path
    draft.put(StepState(path=path, node=name, status=StepStatus.ACTIVE, sources=sources, activated_at=at))
    draft.commands.append(RunStep(path=path, node=name, attempt=1))


def _die(plan: Plan, draft: Draft, name: str, at: datetime, queue: Settled) -> None:
    generation = draft.generations.get(name, 0) + 1
    draft.generations[name] = generation
    path = name if generation == 1 else f"{name}#{generation}"
    draft.fired[name] = path
    draft.put(StepState(path=path, node=name, status=StepStatus.SKIPPED, activated_at=at, settled_at=at))
    queue.extend((edge, None) for edge in plan.nodes[name].outgoing)


def _end_race(plan: Plan, draft: Draft, name: str, at: datetime, queue: Settled) -> None:
    """The merge has what it needs: its losers are cancelled where they run and skipped where they have not begun."""
    losers = plan.nodes[name].losers
    for path in [path for path in draft.open if draft.steps[path].node in losers]:
        draft.cancel(path, at)
    for loser in plan.nodes:
        if loser in losers and loser not in draft.fired:
            _die(plan, draft, loser, at, queue)


def _again(plan: Plan, draft: Draft, edge: PlannedEdge, source: str, at: datetime) -> None:
    """A back edge is taken: the part of the cycle from its target on starts a new pass."""
    passes = draft.passes.get(edge.index, 0) + 1
    draft.passes[edge.index] = passes
    limit = _limit(plan, edge)
    if passes > limit:
        message = f"The edge from {edge.edge.source} back to {edge.edge.target} was taken {limit} times, its maximum"
        end(draft, Failure(error=error_json("MAX_ITERATIONS", message), path=source), at)
        return
    for path in [path for path in draft.open if draft.steps[path].node in edge.redo]:
        draft.cancel(path, at)
    for name in edge.redo:
        draft.fired.pop(name, None)
        for outgoing in plan.nodes[name].outgoing:
            if outgoing.exits is None:
                draft.edges.pop(outgoing.index, None)
    for name in edge.redo:
        settled = [draft.edges[index] for index in plan.nodes[name].incoming if index in draft.edges]
        taken = sum(path is not None for path in settled)
        draft.arrived[name] = (taken, len(settled) - taken)
    _activate(plan, draft, edge.edge.target, (source,), at)


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


def _leave_cycles(plan: Plan, draft: Draft, queue: Settled) -> bool:
    """Edges out of a cycle die only when nothing in it can run any more. True when some did."""
    if draft.lifecycle is not Lifecycle.RUNNING:
        return False
    for cycle in plan.cycles:
        waiting = [edge for edge in cycle.leaving if edge.index not in draft.edges]
        if not waiting or any(index not in draft.edges for index in cycle.entering):
            continue
        if any(draft.steps[path].node in cycle.nodes for path in draft.open):
            continue
        if any(name in draft.fired for name in cycle.nodes):
            queue.extend((replace(edge, exits=None), None) for edge in waiting)
    return bool(queue)
