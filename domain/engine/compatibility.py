"""Whether an execution can go on by another plan: its whole log, folded by it, must come to the same.

What is open must stay open, for the same reasons, and what is over must stay as it was; whatever lies ahead may differ.
Who reads the log from then on folds all of it by the new plan and sees no seam.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.engine.bodies import BODY, body_of
from domain.engine.decide import fold
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan, PlannedEdge, PlannedNode
from domain.engine.scopes import Scope
from domain.engine.state import State, StepState, StepStatus
from domain.graphs import Graph, Node, Position
from domain.json import JSON, JSONObject, as_list, as_object


class ObstacleCode(StrEnum):
    NODE_GONE = "NODE_GONE"
    KIND_CHANGED = "KIND_CHANGED"
    BODY_CHANGED = "BODY_CHANGED"
    INCOMING_CHANGED = "INCOMING_CHANGED"
    CONFIG_CHANGED = "CONFIG_CHANGED"
    EDGE_MOVED = "EDGE_MOVED"
    OPEN_DIFFERS = "OPEN_DIFFERS"
    HISTORY_DIFFERS = "HISTORY_DIFFERS"
    UNRUNNABLE = "UNRUNNABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an execution stays with its version; `path` is the step it is about, if it is about one."""

    code: ObstacleCode
    message: str
    path: str | None = None

    def to_json(self) -> JSONObject:
        return {"code": self.code.value, "message": self.message, "path": self.path}


def obstacles(old: Plan, new: Plan, events: Sequence[Event]) -> Sequence[Obstacle]:
    """What keeps an execution with this log, of the plan `old`, from going on by `new`; empty when nothing does."""
    before = fold(old, events, keeps=True)
    found = [*_changed_nodes(old, new, before), *_moved_edges(old, new, events)]
    if found:
        return found
    try:
        after = fold(new, events, keeps=True)
    except (KeyError, ValueError) as error:
        message = f"The log does not fit the new version: {error}"
        return [Obstacle(code=ObstacleCode.HISTORY_DIFFERS, message=message)]
    return [*_other_steps(before, after), *_other_history(before, after)]


# What has begun is still there


def _changed_nodes(old: Plan, new: Plan, before: State) -> Iterator[Obstacle]:
    """Steps inside a body are its container's: a body that has begun stays as it is."""
    for step in before.steps.values():
        if step.trail or not _began(step):
            continue
        planned = new.nodes.get(step.node)
        if planned is None:
            yield _about(step, ObstacleCode.NODE_GONE, f"The new version has no node {step.node}")
            continue
        problem = _node_problem(step, old, new, old.nodes[step.node], planned)
        if problem is not None:
            yield _about(step, *problem)


def _node_problem(
    step: StepState, old: Plan, new: Plan, before: PlannedNode, after: PlannedNode
) -> tuple[ObstacleCode, str] | None:
    was, is_now = before.node, after.node
    if was.kind != is_now.kind:
        return ObstacleCode.KIND_CHANGED, f"{was.id} is no longer {was.kind} but {is_now.kind}"
    if _inside(was) != _inside(is_now):
        return ObstacleCode.BODY_CHANGED, f"What {was.id} runs for each element or pass has changed"
    if not step.status.open:
        return None
    if _incoming(old, before) != _incoming(new, after):
        return ObstacleCode.INCOMING_CHANGED, f"Other edges lead to {was.id}, or it joins them otherwise"
    if step.undoes is not None and was.compensation != is_now.compensation:
        return ObstacleCode.CONFIG_CHANGED, f"{was.id} is being undone, and its compensation has changed"
    if step.status is StepStatus.WAITING and (_outside(was), was.lock) != (_outside(is_now), is_now.lock):
        return ObstacleCode.CONFIG_CHANGED, f"{was.id} waits, and its config has changed"
    return None


def _inside(node: Node) -> object:
    """What tells one body from another: neither names nor places on the canvas."""
    if node.each is not None:
        return node.each, _bare(node)
    graph = body_of(node)
    return _bare_graph(graph) if graph is not None else None


def _outside(node: Node) -> JSONObject:
    return {key: value for key, value in node.config.items() if key != BODY}


def _bare_graph(graph: Graph) -> object:
    return tuple(map(_bare, graph.nodes)), tuple(graph.edges)


def _bare(node: Node) -> object:
    inner = body_of(node)
    shown = replace(node, name="", notes="", position=Position(), config=_outside(node))
    return shown, _bare_graph(inner) if inner is not None else None


def _incoming(plan: Plan, planned: PlannedNode) -> object:
    edges = {(*_way(edge), edge.edge.condition) for edge in plan.edges if edge.edge.target == planned.node.id}
    return edges, planned.need, planned.multiple


# Decisions are kept by the number of their edge


def _moved_edges(old: Plan, new: Plan, events: Sequence[Event]) -> Iterator[Obstacle]:
    told: set[str] = set()
    for node, decided in _decisions(events):
        for index in decided:
            was, is_now = _edge(old, index), _edge(new, index)
            if node not in told and was is not None and (is_now is None or _way(was) != _way(is_now)):
                told.add(node)
                message = f"An edge out of {node} that was decided on stands elsewhere in the list of edges"
                yield Obstacle(code=ObstacleCode.EDGE_MOVED, message=message, path=node)


def _decisions(events: Sequence[Event]) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """By node, of the execution's own graph."""
    for event in events:
        if event.kind is EventKind.SEEDED:
            for record in map(as_object, as_list(event.payload.get("steps"))):
                yield str(record.get("node")), as_object(record.get("edges"))
        elif event.node is not None and event.path is not None and "[" not in event.path:
            yield event.node, as_object(event.payload.get("edges"))


def _edge(plan: Plan, index: str) -> PlannedEdge | None:
    number = int(index)
    return plan.edges[number] if number < len(plan.edges) else None


def _way(planned: PlannedEdge) -> tuple[str, str, str, str]:
    edge = planned.edge
    return edge.source, edge.source_handle, edge.target, edge.target_handle


# What it comes to


def _other_steps(before: State, after: State) -> Iterator[Obstacle]:
    was = {path: step for path, step in before.steps.items() if _began(step)}
    is_now = {path: step for path, step in after.steps.items() if _began(step)}
    for path in is_now.keys() - was.keys():
        message = f"In the new version {path} would have begun by now"
        yield Obstacle(code=ObstacleCode.OPEN_DIFFERS, message=message, path=path)
    for path, step in was.items():
        if is_now.get(path) == step:
            continue
        code = ObstacleCode.OPEN_DIFFERS if step.status.open else ObstacleCode.HISTORY_DIFFERS
        yield _about(step, code, f"In the new version {path} would have come to something else by now")


def _other_history(before: State, after: State) -> Iterator[Obstacle]:
    if _history(before) != _history(after):
        message = "In the new version what has happened would have had other consequences"
        yield Obstacle(code=ObstacleCode.HISTORY_DIFFERS, message=message)


def _history(state: State) -> object:
    """All that the future depends on but steps and edges, which differ where the graph may."""
    return (
        (state.lifecycle, state.paused, state.cancel_reason, state.terminated, state.failure, state.output),
        (state.vars, state.signals, state.alarms, state.inputs, state.loops),
        (state.undo, state.undoing, state.undo_failed),
        {prefix: _passage(scope) for prefix, scope in state.scopes.items()},
    )


def _passage(scope: Scope) -> object:
    return scope.owner, scope.index, scope.results, scope.tolerated, scope.failure, scope.active, scope.over


def _began(step: StepState) -> bool:
    return step.status is not StepStatus.SKIPPED or step.skipped_by_hand


def _about(step: StepState, code: ObstacleCode, message: str) -> Obstacle:
    return Obstacle(code=code, message=message, path=step.path)
