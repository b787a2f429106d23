"""What a node makes of its edges: it waits for more, runs, dies, ends a race, or keeps them for a round to come."""

from domain.engine.activation import Frame, Settled, activate, die, open_steps
from domain.engine.endings import end_or_break_off
from domain.engine.outcomes import ErrorHandling
from domain.engine.plan import PlannedEdge, PlannedNode


def take(frame: Frame, edge: PlannedEdge, source: str, queue: Settled) -> None:
    target, scope = edge.edge.target, frame.scope
    before = edge.index in scope.edges
    if before and _gathers(frame.plan.nodes[target]):
        _keep(frame, edge, source, queue)
        return
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


def kill(frame: Frame, edge: PlannedEdge, queue: Settled) -> None:
    scope, planned = frame.scope, frame.plan.nodes[edge.edge.target]
    if edge.index in scope.edges:
        if _gathers(planned):
            _keep(frame, edge, None, queue)
        elif planned.need is None and not planned.multiple:
            die(frame, edge.edge.target, queue)
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
        activate(frame, name, _came(frame, planned))
        _next_round(frame, name, queue)
    elif planned.need is not None and taken >= planned.need and arriving is not None:
        activate(frame, name, _came(frame, planned) if planned.need > 1 else (arriving,))
        _end_race(frame, name, queue)
    elif settled:
        _come_to_nothing(frame, planned, queue)
        _next_round(frame, name, queue)


def _came(frame: Frame, planned: PlannedNode) -> list[PlannedEdge]:
    edges = frame.scope.edges
    return [frame.plan.edges[index] for index in planned.incoming if edges.get(index) is not None]


def _come_to_nothing(frame: Frame, planned: PlannedNode, queue: Settled) -> None:
    """Not enough came. Where failures were borne they are collected, or now count; else the node is skipped."""
    name = planned.node.id
    fork = frame.plan.nodes[planned.gathers].region if planned.gathers else None
    borne = frame.scope.tolerated.get(planned.gathers or name, ())
    if borne and fork is not None and fork.error_handling is ErrorHandling.COLLECT:
        activate(frame, name)
    elif borne:
        end_or_break_off(frame, borne[0])
    else:
        die(frame, name, queue)


def _end_race(frame: Frame, name: str, queue: Settled) -> None:
    """The merge has what it needs: its losers are cancelled where they run and skipped where they have not begun."""
    losers = frame.plan.nodes[name].losers
    for path in open_steps(frame, losers):
        frame.draft.cancel(path, frame.at)
    for loser in frame.plan.nodes:
        if loser in losers and loser not in frame.scope.fired:
            die(frame, loser, queue)


def _gathers(planned: PlannedNode) -> bool:
    """Whether the node waits for all of several edges: then what comes over one again is for its next round."""
    return planned.need is None and not planned.multiple and len(planned.incoming) > 1


def _keep(frame: Frame, edge: PlannedEdge, source: str | None, queue: Settled) -> None:
    """Several threads run through the graph: the n-th of each edge belong together."""
    frame.scope.kept.setdefault(edge.index, []).append(source)
    _next_round(frame, edge.edge.target, queue)


def _next_round(frame: Frame, name: str, queue: Settled) -> None:
    """Begin the node's next round once this one is over and something is kept of every edge."""
    scope, incoming = frame.scope, frame.plan.nodes[name].incoming
    if name not in scope.fired or not all(scope.kept.get(index) for index in incoming):
        return
    for index in incoming:
        scope.edges[index] = scope.kept[index].pop(0)
    del scope.fired[name]
    taken = sum(scope.edges[index] is not None for index in incoming)
    scope.arrived[name] = (taken, len(incoming) - taken)
    _consider(frame, name, None, queue)
