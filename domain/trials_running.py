"""Tests while they run: where they stand, what is to be seen there, and going on."""

from collections.abc import Sequence
from datetime import datetime

from domain.engine.events import Event
from domain.engine.ports import InboxKind
from domain.engine.state import State, StepState
from domain.engine.views import seen_by
from domain.errors import InvalidState
from domain.executions import Execution
from domain.executions_control import Control, wish
from domain.executions_read import Overview
from domain.ids import encode
from domain.json import JSON, JSONObject, as_object
from domain.plain_secrets import hidden
from domain.tenancy import Principal
from domain.trials import Mark, Mode, breakpoint_signal


def stopped_at(state: State) -> Sequence[str]:
    """The paths of the steps that have stopped and not been released, the first one first."""
    return [path for path in state.open if _stopped(state.steps[path])]


def _stopped(step: StepState) -> bool:
    return step.wait is not None and step.wait.signals == (breakpoint_signal(step.path),) and step.signal is None


def marks_of(events: Sequence[Event]) -> Sequence[tuple[str, Mark]]:
    """The steps that did not simply run, each once, in the order of their first outcomes."""
    marked = (
        (event.path, mark)
        for event in events
        if event.path is not None
        for mark in Mark
        if event.payload.get(mark.value) is True
    )
    return list(dict.fromkeys(marked))


async def go_on(
    execution: Execution, state: State, mode: Mode, path: str | None, *, by: Principal, given: Control
) -> Execution:
    """Release the step stopped at `path`; without one all that are stopped, or, to step, the first of them.

    Asking twice releases nothing twice. Raises InvalidState when the execution, or that step, is not stopped.
    """
    stopped = stopped_at(state)
    if not stopped or (path is not None and path not in stopped):
        where = f" at {path[:200]!r}" if path is not None else ""
        there = f"It is stopped at {', '.join(stopped[:10])}." if stopped else "Wait until it stops at a breakpoint."
        raise InvalidState(f"The execution is not stopped{where}", path=("path" if path else "id",), remedy=there)
    if path is not None:
        stopped = [path]
    for each in stopped if mode is Mode.CONTINUE else stopped[:1]:
        name = breakpoint_signal(each)
        payload: dict[str, JSON] = {
            "name": name,
            "payload": {"mode": mode.value},
            "by": str(by.actor),
            "transient": True,  # who has been released meanwhile has no use for it
        }
        execution = await wish(execution.id, InboxKind.SIGNAL, _key(name, state.steps[each]), payload, given=given)
    return execution


def _key(name: str, step: StepState) -> str:
    """The same for this activation of the step alone."""
    return f"{name}@{step.activated_at.isoformat() if step.activated_at else ''}"


def scope_of(before: Overview, step: StepState, execution: Execution, workflow_name: str, at: datetime) -> JSONObject:
    """What the expressions of the step see, without secrets and resume links. `before`: the log until it settled."""
    state = before.state
    about: dict[str, JSON] = {"id": encode("execution", execution.id), "trigger": state.trigger}
    if state.parent is not None:
        about["parent"] = {"id": state.parent.execution, "depth": state.parent.depth}
    return {
        **as_object(hidden(seen_by(before.plan, state, step))),
        "execution": about,
        "workflow": {"id": encode("workflow", execution.workflow_id), "name": workflow_name},
        "now": at.isoformat(),
    }
