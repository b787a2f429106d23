"""Undoing what a failed execution had done: compensations, one after another, the last finished step first."""

from datetime import datetime

from msgspec.structs import replace

from domain.engine.commands import RunStep
from domain.engine.draft import Draft
from domain.engine.events import EventKind
from domain.engine.plan import Plan
from domain.engine.scopes import Undo
from domain.engine.state import StepState, StepStatus
from domain.engine.views import entering
from domain.graphs import FailureStrategy
from domain.json import JSONObject, as_object

SUFFIX = ":undo"
"""What the path of a compensating step ends with."""


def remember(plan: Plan, draft: Draft, step: StepState) -> None:
    """Keep what undoing a finished step needs, if it can be undone and the workflow asks for it."""
    planned = plan.at(step.trail).nodes[step.node]
    if plan.strategy is not FailureStrategy.COMPENSATE or planned.node.compensation is None or planned.single:
        return
    given = entering(plan, draft, step)
    draft.undo.append(Undo(path=step.path, node=step.node, trail=step.trail, input=given, output=step.output))


def settle_cut(plan: Plan, draft: Draft, kind: EventKind, step: StepState, payload: JSONObject, at: datetime) -> None:
    """What was cut off by a failure has come to something: if it was done it is undone, and nothing else follows."""
    match kind:
        case EventKind.STEP_STARTED:
            draft.put(replace(step, begun=step.attempt))
        case EventKind.STEP_COMPLETED:
            done = replace(step, status=StepStatus.COMPLETED, output=payload.get("output"), settled_at=at)
            draft.put(done)
            remember(plan, draft, done)
        case EventKind.STEP_FAILED:
            draft.put(replace(step, status=StepStatus.FAILED, error=as_object(payload.get("error")), settled_at=at))
        case _:  # it begins to wait, or somebody skips it
            draft.cancel(step.path, at)


def undo_next(plan: Plan, draft: Draft, at: datetime) -> bool:
    """Begin the next compensation of a failed execution; False when there is none."""
    if draft.failure is None or plan.strategy is not FailureStrategy.COMPENSATE or not draft.undo:
        draft.undoing = None
        return False
    undo = draft.undoing = draft.undo.pop()
    path = undo.path + SUFFIX
    draft.put(
        StepState(
            path=path,
            node=undo.node,
            status=StepStatus.ACTIVE,
            trail=undo.trail,
            undoes=undo.path,
            activated_at=at,
        )
    )
    draft.commands.append(RunStep(path=path, node=undo.node, attempt=1))
    return True
