"""What a retry takes over from the execution it repeats: the finished outcomes, inline.

They are copied, not referred to, so that retention of the first execution can never break the second.
"""

from collections.abc import Iterable, Sequence

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
    plan: Plan, state: State, events: Iterable[Event], *, source: str, path: str, overrides: JSONObject | None = None
) -> JSONObject:
    """The SEEDED payload to run again from `path`: everything finished that does not depend on that step.

    `overrides` maps paths to edited inputs. Raises KeyError when there is no such step.
    """
    redone = plan.downstream(state.steps[path].node)
    steps: list[JSON] = []
    for event in events:
        if event.kind is EventKind.SEEDED:
            steps += [entry for entry in as_list(event.payload.get("steps")) if not _redone(entry, redone)]
        elif event.kind is EventKind.VARIABLE_SET:
            steps.append({"kind": event.kind.value, **event.payload})
        elif event.kind in _OUTCOMES and event.node not in redone and not event.payload.get("retryAt"):
            steps.append(_record(event))
    seeded: dict[str, JSON] = {"from": source, "steps": steps}
    if overrides:  # what is done again begins at its first generation
        seeded["inputs"] = {state.steps[path].node: value for path, value in overrides.items()}
    return seeded


def _record(event: Event) -> JSONObject:
    record: dict[str, JSON] = {"kind": event.kind.value, "path": event.path, "node": event.node}
    record["attempt"] = event.attempt
    return record | {key: event.payload[key] for key in _KEPT if key in event.payload}


def _redone(entry: JSON, redone: frozenset[str]) -> bool:
    return as_object(entry).get("node") in redone


def retryable_paths(state: State) -> Sequence[str]:
    """The paths a retry may begin from: every step that was activated."""
    return [path for path, step in state.steps.items() if step.status is not StepStatus.SKIPPED]
