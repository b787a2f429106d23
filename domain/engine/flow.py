"""How settled steps move a graph on: edges are taken or die, and what follows from that follows.

Every function changes a Draft. Propagation is a work list, never recursion: a chain may have 10,000 nodes.
"""

from collections import deque
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from domain.engine.activation import Frame, Settled, activate, die, open_steps
from domain.engine.endings import break_off, end
from domain.engine.joins import kill, take
from domain.engine.outcomes import ErrorHandling
from domain.engine.passes import again, leave_cycles
from domain.engine.scopes import ROOT, Failure
from domain.engine.state import Lifecycle
from domain.graphs import FailureStrategy
from domain.json import JSON, JSONObject
from domain.nodes import error_json


def begin(frame: Frame, entry: str | None = None) -> None:
    """Activate the entries (or the one named); every other node without incoming edges is dead."""
    queue: Settled = deque()
    for name in frame.plan.entries:
        if entry is None or name == entry:
            activate(frame, name)
        else:
            die(frame, name, queue)
    for name in frame.plan.orphans:
        die(frame, name, queue)
    _propagate(frame, queue)


def settle(frame: Frame, path: str, handles: Collection[str], decisions: Mapping[str, JSON]) -> None:
    """A step is over: take the edges of `handles` whose condition was true, let the others die.

    `decisions` maps the index of a conditional edge to true, false, or an error object when it failed.
    """
    queue: Settled = deque()
    round = frame.draft.steps[path].round
    failed: JSONObject | None = None
    for edge in frame.planned(path).outgoing:
        taken: JSON = edge.edge.source_handle in handles
        if taken and edge.edge.condition is not None:
            taken = decisions.get(str(edge.index), False)
        if isinstance(taken, Mapping):
            failed, taken = failed or taken, False
        queue.append((edge, path if taken else None, round))
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
    _propagate(frame, deque((edge, None, draft.steps[path].round) for edge in planned.outgoing))


def withdraw(frame: Frame, nodes: Collection[str]) -> None:
    """The open steps of these nodes are no longer wanted: they are cancelled and their edges die."""
    if frame.draft.lifecycle is not Lifecycle.RUNNING or frame.scope.failure is not None:
        return
    queue: Settled = deque()
    for path in open_steps(frame, nodes):
        frame.draft.cancel(path, frame.at)
        queue.extend((edge, None, frame.draft.steps[path].round) for edge in frame.planned(path).outgoing)
    for name in frame.plan.nodes:
        if name in nodes and name not in frame.scope.fired:
            die(frame, name, queue)
    _propagate(frame, queue)


def overdue(frame: Frame, path: str) -> None:
    """What a `parallel` has begun has not come together in time: what still runs of it is cancelled."""
    region = frame.planned(path).region
    if region is None:
        return
    late = open_steps(frame, region.nodes)
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


def _propagate(frame: Frame, queue: Settled) -> None:
    while True:
        while queue:
            edge, source, round = queue.popleft()
            if frame.draft.lifecycle is not Lifecycle.RUNNING or frame.scope.failure is not None:
                return
            if edge.back:
                if source is not None:
                    again(frame, edge, source)
            elif source is not None:
                take(frame, edge, source, queue)
            elif edge.exits is None:
                kill(frame, edge, round, queue)
        if not leave_cycles(frame, queue):
            return
