"""The engine: plan, state and event give the new state and what to do next.

No clock, no I/O, no chance: folding the same log again gives the same state and the same commands. An event that
comes too late, for a step no longer open or an execution already over, changes nothing but `seq`.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from domain.engine.commands import CancelStep, Command, Finish, ResumeStep, RunStep
from domain.engine.draft import Draft, freeze, thaw
from domain.engine.events import Event, EventKind
from domain.engine.flow import begin, conclude, end, fail, settle
from domain.engine.plan import Plan
from domain.engine.state import Failure, Lifecycle, Signal, State, StepState, StepStatus, Wait
from domain.graphs import OUT
from domain.json import JSON, JSONObject, as_list, as_object


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


def fold(plan: Plan, events: Iterable[Event], state: State | None = None) -> State:
    """The state after `events`, which follow `state` (the beginning when None)."""
    draft = thaw(state or State())
    for event in events:
        _apply(plan, draft, event)
        draft.commands.clear()
    return freeze(draft)


def outstanding(plan: Plan, state: State) -> tuple[Command, ...]:
    """Everything that is to be done in this state: what a worker that has just loaded it issues."""
    draft = thaw(state)
    for path in draft.open:
        step = draft.steps[path]
        if step.signal is not None:
            draft.commands.append(ResumeStep(path=path, node=step.node, payload=step.signal.payload))
        elif step.status is not StepStatus.WAITING:
            draft.commands.append(RunStep(path=path, node=step.node, attempt=step.attempt, not_before=step.retry_at))
    conclude(plan, draft)
    return _allowed(draft)


def _allowed(draft: Draft) -> tuple[Command, ...]:
    """While paused nothing new starts; stopping and ending go on."""
    if not draft.paused:
        return tuple(draft.commands)
    return tuple(command for command in draft.commands if isinstance(command, CancelStep | Finish))


def _apply(plan: Plan, draft: Draft, event: Event) -> None:
    if event.seq != draft.seq + 1:
        raise ValueError(f"event {event.seq} does not follow {draft.seq}")
    draft.seq = event.seq
    draft.epoch = max(draft.epoch, event.epoch)
    if draft.lifecycle.terminal:
        return
    _dispatch(plan, draft, event)
    if event.kind is not EventKind.ADOPTED:
        conclude(plan, draft)


def _dispatch(plan: Plan, draft: Draft, event: Event) -> None:
    payload = event.payload
    match event.kind:
        case EventKind.EXECUTION_STARTED:
            _start(plan, draft, event)
        case EventKind.SEEDED:
            _seed(plan, draft, event)
        case EventKind.STEP_COMPLETED | EventKind.STEP_FAILED | EventKind.STEP_SKIPPED | EventKind.WAITING:
            _step(plan, draft, event.kind, event.path or "", event.attempt or 1, payload, event.at)
        case EventKind.SIGNAL_RECEIVED:
            _signal(draft, str(payload["name"]), Signal(key=str(payload["key"]), payload=payload.get("payload")))
        case EventKind.VARIABLE_SET:
            draft.vars[str(payload["name"])] = payload.get("value")
        case EventKind.PAUSED:
            draft.paused = True
        case EventKind.RESUMED:
            _resume(draft)
        case EventKind.CANCEL_REQUESTED:
            draft.paused = False
            draft.cancel_reason = str(payload.get("reason") or "")
            end(draft, None, event.at)
        case EventKind.EXECUTION_COMPLETED | EventKind.EXECUTION_FAILED | EventKind.EXECUTION_CANCELLED:
            _finish(draft, event)
        case EventKind.ADOPTED | EventKind.RETRY_SCHEDULED | EventKind.CHILD_STARTED | EventKind.CHILD_FINISHED:
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
    draft.started_at = event.at
    draft.deadline = datetime.fromisoformat(deadline) if isinstance(deadline, str) else None
    begin(plan, draft, event.at, entry if isinstance(entry, str) else None)


def _seed(plan: Plan, draft: Draft, event: Event) -> None:
    """Replay what another execution had finished, in its order."""
    for entry in as_list(event.payload.get("steps")):
        record = as_object(entry)
        kind, attempt = EventKind(str(record["kind"])), record.get("attempt")
        if kind is EventKind.VARIABLE_SET:
            draft.vars[str(record["name"])] = record.get("value")
            continue
        number = attempt if isinstance(attempt, int) else 1
        _step(plan, draft, kind, str(record["path"]), number, record, event.at)
    draft.inputs.update(as_object(event.payload.get("inputs")))
    issued = draft.commands
    draft.commands = [command for command in issued if isinstance(command, RunStep) and command.path in draft.open]


def _step(
    plan: Plan, draft: Draft, kind: EventKind, path: str, attempt: int, payload: JSONObject, at: datetime
) -> None:
    step = draft.steps.get(path)
    if step is None or not step.status.open or draft.lifecycle is not Lifecycle.RUNNING:
        return
    if kind is EventKind.WAITING:
        _wait(draft, replace(step, attempt=attempt), payload)
    elif kind is EventKind.STEP_FAILED:
        _attempt_failed(plan, draft, replace(step, attempt=attempt), payload, at)
    else:
        by_hand = kind is EventKind.STEP_SKIPPED
        if by_hand:
            draft.commands.append(CancelStep(path=path))
        _completed(plan, draft, step, attempt, payload, at, by_hand)


def _completed(
    plan: Plan, draft: Draft, step: StepState, attempt: int, payload: JSONObject, at: datetime, by_hand: bool
) -> None:
    handles = tuple(str(handle) for handle in as_list(payload.get("handles", (OUT,))))
    output, ms = payload.get("output"), payload.get("ms")
    draft.vars.update(as_object(payload.get("variables")))
    draft.put(
        replace(
            step,
            status=StepStatus.SKIPPED if by_hand else StepStatus.COMPLETED,
            attempt=attempt,
            settled_seq=draft.seq,
            skipped_by_hand=by_hand,
            output=output,
            handles=handles,
            duration_ms=float(ms) if isinstance(ms, int | float) else None,
            settled_at=at,
            retry_at=None,
            wait=None,
            signal=None,
        )
    )
    if plan.nodes[step.node].kind.result:
        draft.results[step.node] = output
    settle(plan, draft, step.path, handles, as_object(payload.get("edges")), at)


def _attempt_failed(plan: Plan, draft: Draft, step: StepState, payload: JSONObject, at: datetime) -> None:
    error, retry_at, ms = as_object(payload.get("error")), payload.get("retryAt"), payload.get("ms")
    step = replace(
        step,
        error=error,
        wait=None,
        signal=None,
        duration_ms=float(ms) if isinstance(ms, int | float) else None,
    )
    if isinstance(retry_at, str):
        moment = datetime.fromisoformat(retry_at)
        draft.put(replace(step, status=StepStatus.RETRYING, attempt=step.attempt + 1, retry_at=moment))
        draft.commands.append(RunStep(path=step.path, node=step.node, attempt=step.attempt + 1, not_before=moment))
        return
    handles = tuple(str(handle) for handle in as_list(payload.get("handles")))
    draft.put(replace(step, status=StepStatus.FAILED, handles=handles, settled_at=at, retry_at=None))
    if payload.get("ends"):
        end(draft, Failure(error=error, path=step.path), at)
    elif handles:
        settle(plan, draft, step.path, handles, as_object(payload.get("edges")), at)
    else:
        fail(plan, draft, step.path, error, at)


def _wait(draft: Draft, step: StepState, payload: JSONObject) -> None:
    until, signal = payload.get("until"), payload.get("signal")
    wait = Wait(
        until=datetime.fromisoformat(until) if isinstance(until, str) else None,
        signal=signal if isinstance(signal, str) else None,
        callback=bool(payload.get("callback")),
    )
    draft.put(replace(step, status=StepStatus.WAITING, wait=wait, retry_at=None))
    if wait.signal is None:
        return
    kept = draft.signals.pop(wait.signal, ())
    if kept:
        if kept[1:]:
            draft.signals[wait.signal] = kept[1:]
        _deliver(draft, step.path, kept[0])


def _signal(draft: Draft, name: str, signal: Signal) -> None:
    """The longest waiting step of that name gets it; without one it is kept, first in, first out."""
    for path in draft.open:
        step = draft.steps[path]
        if step.wait and step.wait.signal == name and step.signal is None:
            _deliver(draft, path, signal)
            return
    draft.signals[name] = (*draft.signals.get(name, ()), signal)


def _deliver(draft: Draft, path: str, signal: Signal) -> None:
    step = draft.steps[path]
    draft.put(replace(step, signal=signal))
    draft.commands.append(ResumeStep(path=path, node=step.node, payload=signal.payload))


def _resume(draft: Draft) -> None:
    if not draft.paused:
        return
    draft.paused = False
    for path in draft.open:
        step = draft.steps[path]
        if step.signal is not None:
            draft.commands.append(ResumeStep(path=path, node=step.node, payload=step.signal.payload))
        elif step.status is not StepStatus.WAITING:
            draft.commands.append(RunStep(path=path, node=step.node, attempt=step.attempt, not_before=step.retry_at))


_ENDINGS = {
    EventKind.EXECUTION_COMPLETED: Lifecycle.COMPLETED,
    EventKind.EXECUTION_FAILED: Lifecycle.FAILED,
    EventKind.EXECUTION_CANCELLED: Lifecycle.CANCELLED,
}


def _finish(draft: Draft, event: Event) -> None:
    for path in list(draft.open):
        draft.cancel(path, event.at)
    draft.lifecycle = _ENDINGS[event.kind]
    draft.finished_at = event.at
    draft.output = event.payload.get("output")
    if event.kind is EventKind.EXECUTION_FAILED:
        path = event.payload.get("path")
        error: JSON = event.payload.get("error")
        draft.failure = Failure(error=as_object(error), path=path if isinstance(path, str) else None)
