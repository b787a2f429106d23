"""What a node makes of its edges: it waits for more, runs, dies, or ends a race.

Behind a node that runs once for every edge several threads run through the same graph, each with a round of its own. A
node that waits for all of its edges does so in each round, by what came in it and by what came before any round began.
"""

from domain.engine.activation import Frame, Settled, activate, die, open_steps
from domain.engine.endings import end_or_break_off
from domain.engine.outcomes import ErrorHandling
from domain.engine.plan import PlannedEdge, PlannedNode
from domain.engine.scopes import Round


def take(frame: Frame, edge: PlannedEdge, source: str, queue: Settled) -> None:
    target, scope, round = edge.edge.target, frame.scope, frame.draft.steps[source].round
    if round and _gathers(frame.plan.nodes[target]):
        _gather(frame, edge, source, round, queue)
        return
    before = edge.index in scope.edges
    scope.edges[edge.index] = source
    if before or frame.plan.nodes[target].multiple:
        if not before:
            taken, dead = scope.arrived.get(target, (0, 0))
            scope.arrived[target] = (taken + 1, dead)
        activate(frame, target, (edge,))
        return
    taken, dead = scope.arrived.get(target, (0, 0))
    scope.arrived[target] = (taken + 1, dead)
    _consider(frame, target, edge, queue)
    if scope.rounds:
        _look_again(frame, target, queue)


def kill(frame: Frame, edge: PlannedEdge, round: int, queue: Settled) -> None:
    target, scope = edge.edge.target, frame.scope
    planned = frame.plan.nodes[target]
    if round and _gathers(planned):
        _gather(frame, edge, None, round, queue)
        return
    if edge.index in scope.edges:
        if round and planned.need is None and not planned.multiple:
            die(frame, target, queue, round)
        return
    scope.edges[edge.index] = None
    taken, dead = scope.arrived.get(target, (0, 0))
    scope.arrived[target] = (taken, dead + 1)
    _consider(frame, target, None, queue, round)
    if scope.rounds:
        _look_again(frame, target, queue)


def _consider(frame: Frame, name: str, arriving: PlannedEdge | None, queue: Settled, round: int = 0) -> None:
    """Run the node, let it die, or let it wait for more of its edges."""
    scope, planned = frame.scope, frame.plan.nodes[name]
    if name in scope.fired:
        return
    taken, dead = scope.arrived[name]
    settled = taken + dead == len(planned.incoming)
    if planned.need is None and settled and taken:
        activate(frame, name, _came(frame, planned))
    elif planned.need is not None and taken >= planned.need and arriving is not None:
        activate(frame, name, _came(frame, planned) if planned.need > 1 else (arriving,))
        _end_race(frame, name, queue)
    elif settled:
        _come_to_nothing(frame, planned, queue, round)


def _came(frame: Frame, planned: PlannedNode) -> list[PlannedEdge]:
    edges = frame.scope.edges
    return [frame.plan.edges[index] for index in planned.incoming if edges.get(index) is not None]


def _come_to_nothing(frame: Frame, planned: PlannedNode, queue: Settled, round: int) -> None:
    """Not enough came. Where failures were borne they are collected, or now count; else the node is skipped."""
    name = planned.node.id
    fork = frame.plan.nodes[planned.gathers].region if planned.gathers else None
    borne = frame.scope.tolerated.get(planned.gathers or name, ())
    if borne and fork is not None and fork.error_handling is ErrorHandling.COLLECT:
        activate(frame, name)
    elif borne:
        end_or_break_off(frame, borne[0])
    else:
        die(frame, name, queue, round)


def _end_race(frame: Frame, name: str, queue: Settled) -> None:
    """The merge has what it needs: its losers are cancelled where they run and skipped where they have not begun."""
    losers = frame.plan.nodes[name].losers
    for path in open_steps(frame, losers):
        frame.draft.cancel(path, frame.at)
    for loser in frame.plan.nodes:
        if loser in losers and loser not in frame.scope.fired:
            die(frame, loser, queue)


def _gathers(planned: PlannedNode) -> bool:
    """Whether the node waits for all of several edges: then each round has its own."""
    return planned.need is None and not planned.multiple and len(planned.incoming) > 1


def _gather(frame: Frame, edge: PlannedEdge, source: str | None, round: int, queue: Settled) -> None:
    """Something has come to the node in this round, or will not."""
    target = edge.edge.target
    came = frame.scope.rounds.setdefault(target, {}).setdefault(round, Round())
    came.edges[edge.index] = source
    _complete(frame, target, round, queue)


def _look_again(frame: Frame, name: str, queue: Settled) -> None:
    """What has come for all rounds may have been the last that one of them waited for."""
    for round in list(frame.scope.rounds.get(name, ())):
        _complete(frame, name, round, queue)


def _complete(frame: Frame, name: str, round: int, queue: Settled) -> None:
    """Run the node in this round, or let it die, once all its edges are settled: in the round or before any."""
    came, before = frame.scope.rounds[name][round], frame.scope.edges
    incoming = frame.plan.nodes[name].incoming
    if came.over or not all(index in came.edges or index in before for index in incoming):
        return
    came.over = True
    settled = {index: came.edges[index] if index in came.edges else before[index] for index in incoming}
    taken = {index: path for index, path in settled.items() if path is not None}
    if any(path is not None for path in came.edges.values()):
        activate(frame, name, [frame.plan.edges[index] for index in taken], list(taken.values()))
    else:
        _come_to_nothing(frame, frame.plan.nodes[name], queue, round)
