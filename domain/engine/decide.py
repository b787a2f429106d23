"""The engine: plan, state and event give the new state and what to do next.

No clock, no I/O, no chance: folding the same log again gives the same state and the same commands. An event that
comes too late, for a step no longer open or an execution already over, changes nothing but `seq`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from domain.engine.activation import frame_of
from domain.engine.commands import CancelStep, Command, Ending, Finish, ResumeStep, RunStep
from domain.engine.compensation import undo_next
from domain.engine.draft import Draft, freeze, thaw
from domain.engine.endings import end
from domain.engine.events import Event, EventKind
from domain.engine.flow import begin, overdue
from domain.engine.iterations import close
from domain.engine.outcomes import Cause, ChildEnded, SignalArrived
from domain.engine.parents import parent_from_json
from domain.engine.plan import Plan
from domain.engine.results import scope_output
from domain.engine.scopes import ROOT, Failure
from domain.engine.settling import child_ended, settle_step, take_signal
from domain.engine.state import Lifecycle, Signal, State, StepState, StepStatus
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import error_json
from domain.trials import BREAKPOINT, Mode, trial_from_json


def advance(plan: Plan, state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """Apply the event that follows `state`. Raises ValueError when it does not follow."""
    draft = thaw(state)
    commands = proceed(plan, draft, event)
    return freeze(draft), commands


def proceed(plan: Plan, draft: Draft, event: Event) -> tuple[Command, ...]:
    """`advance` in place, for the one owner of a draft: no copies, whatever the graph's size."""
    _apply(plan, draft, event)
    commands = _allowed(draft)
    draft.commands.clear()
    return commands


def fold(plan: Plan, events: Iterable[Event], state: State | None = None, *, keeps: bool = False) -> State:
    """The state after `events`, which follow `state` (the beginning when None).

    `keeps`: with the steps of finished iterations, which an owner's state has no need of.
    """
    draft = thaw(state or State(), keeps=keeps)
    for event in events:
        _apply(plan, draft, event)
        draft.commands.clear()
    return freeze(draft)


def outstanding(plan: Plan, state: State) -> tuple[Command, ...]:
    """Everything that is to be done in this state: what a worker that has just loaded it issues."""
    draft = thaw(state)
    _reissue(draft)
    _conclude(plan, draft, None)
    return _allowed(draft)


def _reissue(draft: Draft) -> None:
    for path in draft.open:
        step = draft.steps[path]
        cause = due_cause(draft, step)
        if cause is not None:
            draft.commands.append(ResumeStep(path=path, node=step.node, cause=cause))
        elif step.status is not StepStatus.WAITING:
            draft.commands.append(RunStep(path=path, node=step.node, attempt=step.attempt, not_before=step.retry_at))


def due_cause(draft: Draft, step: StepState) -> Cause | None:
    """What a waiting step is to be resumed with now, None when nothing has come."""
    if step.signal is not None:
        return SignalArrived(payload=step.signal.payload, name=step.signal.name)
    if step.child_end is not None:
        return step.child_end
    loop = draft.loops.get(step.path)
    return loop.due if loop is not None else None


def _allowed(draft: Draft) -> tuple[Command, ...]:
    """While paused nothing new starts; stopping and ending go on."""
    if not draft.paused:
        return tuple(draft.commands)
    return tuple(command for command in draft.commands if isinstance(command, CancelStep | Finish))


def _apply(plan: Plan, draft: Draft, event: Event) -> None:
    if event.seq != draft.seq + 1:
        raise ValueError(f"event {event.seq} does not follow {draft.seq}")
    draft.seq, draft.undoable = event.seq, plan.undoable
    draft.epoch = max(draft.epoch, event.epoch)
    if draft.lifecycle.terminal:
        return
    _dispatch(plan, draft, event)
    close(plan, draft, event.at)
    if event.kind is not EventKind.ADOPTED:
        _conclude(plan, draft, event.at)


def _dispatch(plan: Plan, draft: Draft, event: Event) -> None:
    payload = event.payload
    match event.kind:
        case EventKind.EXECUTION_STARTED:
            _start(plan, draft, event)
        case EventKind.SEEDED:
            _seed(plan, draft, event)
        case (
            EventKind.STEP_STARTED
            | EventKind.STEP_COMPLETED
            | EventKind.STEP_FAILED
            | EventKind.STEP_SKIPPED
            | EventKind.WAITING
            | EventKind.CHILD_STARTED
        ):
            settle_step(plan, draft, event.kind, event.path or "", event.attempt or 1, payload, event.at)
        case EventKind.SIGNAL_RECEIVED:
            name = str(payload["name"])
            signal = Signal(key=str(payload["key"]), payload=payload.get("payload"), name=name)
            if name.startswith(BREAKPOINT):
                draft.stepping = as_object(signal.payload).get("mode") == Mode.STEP
            take_signal(draft, signal, kept=payload.get("transient") is not True)
        case EventKind.CHILD_FINISHED:
            error = payload.get("error")
            ended = ChildEnded(
                execution=str(payload["execution"]),
                status=str(payload["status"]),
                output=payload.get("output"),
                error=as_object(error) if error is not None else None,
            )
            child_ended(draft, event.path or "", ended)
        case EventKind.VARIABLE_SET:
            draft.vars[str(payload["name"])] = payload.get("value")
        case EventKind.VERSION_CHANGED:
            draft.vars = {**as_object(payload.get("variables")), **draft.vars}
        case EventKind.PAUSED:
            draft.paused = True
        case EventKind.RESUMED:
            if draft.paused:
                draft.paused = False
                _reissue(draft)
        case EventKind.CANCEL_REQUESTED:
            draft.paused = False
            draft.cancel_reason = str(payload.get("reason") or "")
            if draft.lifecycle is Lifecycle.RUNNING:
                draft.failure = None  # one that others were let finish beside: they are not, now
            end(draft, None, event.at)
        case EventKind.TIMED_OUT:
            _timed_out(plan, draft, event)
        case EventKind.EXECUTION_COMPLETED | EventKind.EXECUTION_FAILED | EventKind.EXECUTION_CANCELLED:
            _finish(draft, event)
        case EventKind.ADOPTED | EventKind.RETRY_SCHEDULED:
            pass
        case _:
            assert_never(event.kind)


def _start(plan: Plan, draft: Draft, event: Event) -> None:
    payload = event.payload
    deadline = payload.get("deadline")
    entry = payload.get("entry")
    draft.lifecycle = Lifecycle.RUNNING
    draft.input = payload.get("input")
    draft.vars = dict(as_object(payload.get("variables")))
    draft.trigger = dict(as_object(payload.get("trigger")))
    draft.parent = parent_from_json(payload.get("parent"))
    draft.started_at = event.at
    draft.trial = trial_from_json(payload.get("test"))
    draft.stepping = draft.trial is not None and draft.trial.stepping
    draft.deadline = datetime.fromisoformat(deadline) if isinstance(deadline, str) else None
    begin(frame_of(plan, draft, ROOT, event.at), entry if isinstance(entry, str) else None)


def _seed(plan: Plan, draft: Draft, event: Event) -> None:
    """Replay what another execution had finished, in its order."""
    for entry in as_list(event.payload.get("steps")):
        record = as_object(entry)
        kind, attempt = EventKind(str(record["kind"])), record.get("attempt")
        if kind is EventKind.VARIABLE_SET:
            draft.vars[str(record["name"])] = record.get("value")
            continue
        number = attempt if isinstance(attempt, int) else 1
        settle_step(plan, draft, kind, str(record["path"]), number, record, event.at)
        close(plan, draft, event.at)
    draft.inputs.update(as_object(event.payload.get("inputs")))
    draft.commands.clear()
    _reissue(draft)


def _timed_out(plan: Plan, draft: Draft, event: Event) -> None:
    """The execution's own deadline, or that of what a `parallel` has begun."""
    if event.path is None:
        message = "The execution took longer than its timeout"
        draft.paused = False
        end(draft, Failure(error=error_json("EXECUTION_TIMEOUT", message), path=None), event.at)
        return
    if draft.alarms.pop(event.path, None) is not None and draft.lifecycle is Lifecycle.RUNNING:
        step = draft.steps.get(event.path)
        if step is not None and step.scope in draft.scopes:
            overdue(frame_of(plan, draft, step.scope, event.at), event.path)


def _conclude(plan: Plan, draft: Draft, at: datetime | None) -> None:
    """Ask for the terminal event when nothing is open any more and nothing is left to undo.

    `at` None: nothing happens, a state is only looked at.
    """
    if draft.open or draft.lifecycle.terminal or draft.lifecycle is Lifecycle.NEW:
        return
    if at is not None and undo_next(plan, draft, at):
        return
    if draft.failure is not None:
        error: JSONObject = draft.failure.error
        if draft.undo_failed:
            error = {**error, "notUndone": list(draft.undo_failed)}
        draft.commands.append(Finish(ending=Ending.FAILED, error=error, path=draft.failure.path))
    elif draft.terminated:
        draft.commands.append(Finish(ending=Ending.COMPLETED, output=draft.output))
    elif draft.lifecycle is Lifecycle.ENDING:
        draft.commands.append(Finish(ending=Ending.CANCELLED))
    else:
        output = scope_output(plan, draft.steps, draft.root)
        draft.commands.append(Finish(ending=Ending.COMPLETED, output=output))


_ENDINGS = {
    EventKind.EXECUTION_COMPLETED: Lifecycle.COMPLETED,
    EventKind.EXECUTION_FAILED: Lifecycle.FAILED,
    EventKind.EXECUTION_CANCELLED: Lifecycle.CANCELLED,
}


def _finish(draft: Draft, event: Event) -> None:
    for path in list(draft.open):
        if path in draft.open:
            draft.cancel(path, event.at)
    draft.lifecycle = _ENDINGS[event.kind]
    draft.finished_at = event.at
    draft.output = event.payload.get("output")
    draft.alarms.clear()
    if event.kind is EventKind.EXECUTION_FAILED:
        path = event.payload.get("path")
        error: JSON = event.payload.get("error")
        draft.failure = Failure(error=as_object(error), path=path if isinstance(path, str) else None)
