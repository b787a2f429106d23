"""What the outcome of an attempt changes: the step completes, waits, fails, is tried again, is woken."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from domain.engine.activation import frame_of
from domain.engine.commands import ResumeStep, RunStep
from domain.engine.compensation import remember, settle_cut
from domain.engine.draft import Draft, stop
from domain.engine.endings import end
from domain.engine.events import EventKind
from domain.engine.flow import fail, settle, withdraw
from domain.engine.iterations import enter, loop_from
from domain.engine.outcomes import ChildEnded, SignalArrived
from domain.engine.plan import Plan
from domain.engine.scopes import Failure
from domain.engine.state import Lifecycle, Signal, StepState, StepStatus, Wait
from domain.graphs import OUT
from domain.json import JSONObject, as_list, as_object


def settle_step(
    plan: Plan, draft: Draft, kind: EventKind, path: str, attempt: int, payload: JSONObject, at: datetime
) -> None:
    """Apply the event of an attempt; one for a step that is no longer open changes nothing."""
    step = draft.steps.get(path)
    if step is None or not step.status.open:
        return
    if step.cut:
        settle_cut(plan, draft, kind, replace(step, attempt=attempt), payload, at)
        return
    if draft.lifecycle is not Lifecycle.RUNNING and step.undoes is None:
        return
    match kind:
        case EventKind.STEP_STARTED:
            draft.put(replace(step, begun=attempt))
        case EventKind.WAITING:
            _wait(plan, draft, replace(step, attempt=attempt), payload, at)
        case EventKind.CHILD_STARTED:
            wait = Wait(child=str(payload["execution"]))
            draft.put(replace(step, attempt=attempt, status=StepStatus.WAITING, wait=wait, retry_at=None, signal=None))
        case EventKind.STEP_FAILED:
            _attempt_failed(plan, draft, replace(step, attempt=attempt), payload, at)
        case _:
            by_hand = kind is EventKind.STEP_SKIPPED
            if by_hand:
                draft.commands.append(stop(step))
            _completed(plan, draft, step, payload, at, attempt=attempt, by_hand=by_hand)


def _completed(
    plan: Plan, draft: Draft, step: StepState, payload: JSONObject, at: datetime, *, attempt: int, by_hand: bool
) -> None:
    handles = tuple(str(handle) for handle in as_list(payload.get("handles", (OUT,))))
    output, ms = payload.get("output"), payload.get("ms")
    draft.vars.update(as_object(payload.get("variables")))
    draft.leave(step.path, at)
    done = replace(
        step,
        attempt=attempt,
        skipped_by_hand=by_hand,
        status=StepStatus.SKIPPED if by_hand else StepStatus.COMPLETED,
        settled_seq=draft.seq,
        output=output,
        outputs=as_object(payload.get("outputs")),
        handles=handles,
        duration_ms=float(ms) if isinstance(ms, int | float) else None,
        usage=_usage(payload),
        settled_at=at,
        retry_at=None,
        wait=None,
        signal=None,
        child_end=None,
    )
    draft.put(done)
    if done.undoes is not None:
        return
    if not done.skipped_by_hand:
        remember(plan, draft, done)
    if payload.get("terminates"):
        draft.output = output
        draft.terminated = True
        end(draft, None, at)
        return
    frame = frame_of(plan, draft, done.scope, at)
    if frame.planned(done.path).kind.result:
        frame.scope.results[done.node] = output
    deadline = payload.get("deadline")
    if isinstance(deadline, str):
        draft.alarms[done.path] = datetime.fromisoformat(deadline)
    if cancels := {str(name) for name in as_list(payload.get("cancels"))}:
        withdraw(frame, cancels)
    settle(frame, done.path, handles, as_object(payload.get("edges")))


def _attempt_failed(plan: Plan, draft: Draft, step: StepState, payload: JSONObject, at: datetime) -> None:
    error, retry_at, ms = as_object(payload.get("error")), payload.get("retryAt"), payload.get("ms")
    draft.leave(step.path, at)
    step = replace(
        step,
        error=error,
        wait=None,
        signal=None,
        child_end=None,
        duration_ms=float(ms) if isinstance(ms, int | float) else None,
        usage=_usage(payload),
    )
    if isinstance(retry_at, str):
        moment = datetime.fromisoformat(retry_at)
        draft.put(replace(step, status=StepStatus.RETRYING, attempt=step.attempt + 1, retry_at=moment))
        draft.commands.append(RunStep(path=step.path, node=step.node, attempt=step.attempt + 1, not_before=moment))
        return
    handles = tuple(str(handle) for handle in as_list(payload.get("handles")))
    draft.put(replace(step, status=StepStatus.FAILED, handles=handles, settled_at=at, retry_at=None))
    if step.undoes is not None:
        draft.undo_failed.append(step.undoes)
    elif payload.get("ends"):
        end(draft, Failure(error=error, path=step.path), at)
    elif handles:
        settle(frame_of(plan, draft, step.scope, at), step.path, handles, as_object(payload.get("edges")))
    else:
        fail(frame_of(plan, draft, step.scope, at), step.path, error)


def _usage(payload: JSONObject) -> JSONObject | None:
    """What the run consumed, where that was measured."""
    return as_object(payload["usage"]) if "usage" in payload else None


def _wait(plan: Plan, draft: Draft, step: StepState, payload: JSONObject, at: datetime) -> None:
    given = payload.get("loop")
    if isinstance(given, Mapping):
        if step.wait is None or not step.wait.body:
            draft.loops[step.path] = loop_from(given)
        waiting = replace(step, status=StepStatus.WAITING, wait=Wait(body=True), retry_at=None, signal=None)
        draft.put(waiting)
        enter(plan, draft, waiting, given, at)
        return
    until, signal = payload.get("until"), payload.get("signal")
    names = [signal] if isinstance(signal, str) else []
    wait = Wait(
        until=datetime.fromisoformat(until) if isinstance(until, str) else None,
        signals=(*names, *(str(name) for name in as_list(payload.get("signals")))),
        callback=bool(payload.get("callback")),
    )
    if step.signal is not None and not payload.get("took"):  # it came while the step was looking at the clock
        draft.put(replace(step, status=StepStatus.WAITING, wait=wait, retry_at=None))
        _deliver(draft, step.path, step.signal)
        return
    draft.put(replace(step, status=StepStatus.WAITING, wait=wait, retry_at=None, signal=None))
    for name in wait.signals:
        kept = draft.signals.pop(name, ())
        if kept:
            if kept[1:]:
                draft.signals[name] = kept[1:]
            _deliver(draft, step.path, kept[0])
            return


def take_signal(draft: Draft, signal: Signal, *, kept: bool = True) -> None:
    """The longest waiting step of that name gets it; without one it is kept, first in, first out, unless transient."""
    for path in draft.open:
        step = draft.steps[path]
        if step.wait and signal.name in step.wait.signals and step.signal is None:
            _deliver(draft, path, signal)
            return
    if kept:
        draft.signals[signal.name] = (*draft.signals.get(signal.name, ()), signal)


def _deliver(draft: Draft, path: str, signal: Signal) -> None:
    step = draft.steps[path]
    draft.put(replace(step, signal=signal))
    cause = SignalArrived(payload=signal.payload, name=signal.name)
    draft.commands.append(ResumeStep(path=path, node=step.node, cause=cause))


def child_ended(draft: Draft, path: str, ended: ChildEnded) -> None:
    """The execution a step waits for is over; news of any other child changes nothing."""
    step = draft.steps.get(path)
    if step is None or step.wait is None or step.wait.child != ended.execution or step.child_end is not None:
        return
    draft.put(replace(step, child_end=ended))
    draft.commands.append(ResumeStep(path=path, node=step.node, cause=ended))
