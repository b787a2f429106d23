"""An execution's log as people look at it: steps, progress, what runs now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.engine.plan import Plan
from domain.engine.results import progress
from domain.engine.state import State, StepState, StepStatus
from domain.engine.views import entering
from domain.graphs import Node
from domain.ids import ExecutionId
from domain.json import JSON, JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One activation of a node. `error` is that of its last failed attempt, kept when a later attempt is due.

    `duration_ms` is the run of its last attempt, waits between attempts left out; `usage` what that consumed, where it
    was measured.
    """

    execution_id: ExecutionId
    path: str
    node: Node
    status: StepStatus
    attempt: int
    input: JSON
    output: JSON
    error: JSONObject | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: float | None
    usage: JSONObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A folded log with its plan."""

    execution_id: ExecutionId
    plan: Plan
    state: State


def progress_of(overview: Overview) -> int:
    """0 to 100."""
    return progress(overview.plan, overview.state)


def steps_of(overview: Overview) -> Sequence[Step]:
    """Every step that was activated or skipped, in the order it was."""
    return [_step(overview, step) for step in overview.state.steps.values()]


def current_steps_of(overview: Overview) -> Sequence[Step]:
    """The steps that run, wait or are to be tried again."""
    return [_step(overview, overview.state.steps[path]) for path in overview.state.open]


def estimated_finish(overview: Overview, started_at: datetime | None, now: datetime) -> datetime | None:
    """When it is over if the rest goes as fast as what is done; None before anything is done, and afterwards."""
    done = progress_of(overview)
    if started_at is None or not 0 < done < 100 or overview.state.paused:
        return None
    return now + (now - started_at) * (100 - done) / done


def _step(overview: Overview, step: StepState) -> Step:
    state = overview.state
    began = step.activated_at
    if step.settled_at is not None and step.duration_ms is not None:
        began = step.settled_at - timedelta(milliseconds=step.duration_ms)
    skipped = step.status is StepStatus.SKIPPED
    never_ran = skipped and not step.skipped_by_hand
    entered = None if never_ran else entering(overview.plan, state, step)
    return Step(
        execution_id=overview.execution_id,
        path=step.path,
        node=overview.plan.at(step.trail).nodes[step.node].node,
        status=step.status,
        attempt=step.attempt,
        input=entered,
        output=step.output,
        error=step.error,
        started_at=None if never_ran else began,
        finished_at=step.settled_at,
        duration_ms=step.duration_ms,
        usage=step.usage,
    )
