"""What a retry takes over from the execution it repeats: the finished outcomes, inline.

They are copied, not referred to, so that retention of the first execution can never break the second.
"""

from collections.abc import Iterable, Mapping, Sequence

from domain.engine.bodies import is_top, top_of
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan
from domain.engine.state import State, StepStatus
from domain.json import JSON, JSONObject, as_list, as_object

_OUTCOMES = (EventKind.STEP_COMPLETED, EventKind.STEP_FAILED, EventKind.STEP_SKIPPED)
_KEPT = ("output", "handles", "edges", "variables", "error", "decision", "ms")


def failed_path(state: State) -> str | None:
    """The step whose failure ended the execution, None when no step did."""
    return state.failure.path if state.failure else None


def seed(
    plan: Plan, state: State, events: Sequence[Event], *, source: str, path: str, overrides: JSONObject | None = None
) -> JSONObject:
    """The SEEDED payload to run again from `path`: everything finished that does not depend on that step.

    Whatever else had failed for good runs again too, for taken over it would end the new execution before it began.
    `overrides` maps paths to edited inputs. Raises KeyError when there is no such step.
    """
    top = top_of(path)
    redone = plan.downstream(state.steps[top].node).union(*map(plan.downstream, _broken(plan, state, events)))
    steps: list[JSON] = []
    for event in events:
        if event.kind is EventKind.SEEDED:
            steps += [entry for entry in as_list(event.payload.get("steps")) if not _redone(entry, redone)]
        elif event.kind is EventKind.VARIABLE_SET:
            steps.append({"kind": event.kind.value, **event.payload})
        elif _is_outcome(event) and event.node not in redone and not event.payload.get("retryAt"):
            steps.append(_record(event))
    seeded: dict[str, JSON] = {"from": source, "steps": steps}
    if overrides:  # what is done again begins at its first generation
        seeded["inputs"] = {state.steps[top_of(path)].node: value for path, value in overrides.items()}
    return seeded


def _is_outcome(event: Event) -> bool:
    """Whether it settles a step of the execution's own graph; what a body came to is in its container's outcome."""
    return event.kind in _OUTCOMES and event.path is not None and is_top(event.path)


def _broken(plan: Plan, state: State, events: Iterable[Event]) -> set[str]:
    """The nodes whose failure, or that of a condition behind them, nothing in the graph took up."""
    broken = {event.node for event in events if event.node and _failed_for_good(plan, event)}
    if state.failure is not None and state.failure.path is not None:
        broken.add(state.steps[top_of(state.failure.path)].node)
    return broken


def _failed_for_good(plan: Plan, event: Event) -> bool:
    payload = event.payload
    if not _is_outcome(event) or event.node is None or plan.nodes[event.node].tolerated_by is not None:
        return False
    if any(isinstance(decision, Mapping) for decision in as_object(payload.get("edges")).values()):
        return True
    return event.kind is EventKind.STEP_FAILED and not payload.get("retryAt") and not payload.get("handles")


def _record(event: Event) -> JSONObject:
    record: dict[str, JSON] = {"kind": event.kind.value, "path": event.path, "node": event.node}
    record["attempt"] = event.attempt
    return record | {key: event.payload[key] for key in _KEPT if key in event.payload}


def _redone(entry: JSON, redone: frozenset[str]) -> bool:
    return as_object(entry).get("node") in redone


def retryable_paths(state: State) -> Sequence[str]:
    """The paths a retry may begin from: every step that was activated."""
    return [
        path
        for path, step in state.steps.items()
        if step.undoes is None and (step.status is not StepStatus.SKIPPED or step.skipped_by_hand)
    ]
