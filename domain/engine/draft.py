"""A state being worked on: copied once per transition, changed in place, frozen again."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.engine.commands import CancelStep, Command
from domain.engine.state import Failure, Lifecycle, Signal, State, StepState, StepStatus, seen
from domain.json import JSON


@dataclass(slots=True)
class Draft:
    """Same fields as State, mutable; `commands` gathers what the transition asks for."""

    seq: int
    epoch: int
    lifecycle: Lifecycle
    paused: bool
    cancel_reason: str | None
    input: JSON
    vars: dict[str, JSON]
    trigger: dict[str, JSON]
    started_at: datetime | None
    deadline: datetime | None
    finished_at: datetime | None
    steps: dict[str, StepState]
    open: dict[str, None]
    edges: dict[int, str | None]
    fired: dict[str, str]
    generations: dict[str, int]
    arrived: dict[str, tuple[int, int]]
    passes: dict[int, int]
    signals: dict[str, tuple[Signal, ...]]
    view: dict[str, JSON]
    results: dict[str, JSON]
    inputs: dict[str, JSON]
    tolerated: dict[str, tuple[Failure, ...]]
    failure: Failure | None
    output: JSON
    commands: list[Command] = field(default_factory=list[Command])

    def put(self, step: StepState) -> None:
        """Store a step and keep `open` and `view` true to it."""
        if step.status.open:
            self.steps[step.path] = step
            self.open[step.path] = None
            return
        if step.settled_seq != self.seq:
            step = replace(step, settled_seq=self.seq)
        self.steps[step.path] = step
        self.open.pop(step.path, None)
        if step.status is not StepStatus.CANCELLED:
            self.view[step.node] = seen(step)

    def cancel(self, path: str, at: datetime) -> None:
        """An open step is no longer wanted; a signal it held goes back to the front of its queue."""
        step = self.steps[path]
        if step.signal and step.wait and step.wait.signal:
            name = step.wait.signal
            self.signals[name] = (step.signal, *self.signals.get(name, ()))
        self.put(replace(step, status=StepStatus.CANCELLED, settled_at=at, retry_at=None, signal=None))
        self.commands.append(CancelStep(path=path))


def thaw(state: State) -> Draft:
    return Draft(
        seq=state.seq,
        epoch=state.epoch,
        lifecycle=state.lifecycle,
        paused=state.paused,
        cancel_reason=state.cancel_reason,
        input=state.input,
        vars=dict(state.vars),
        trigger=dict(state.trigger),
        started_at=state.started_at,
        deadline=state.deadline,
        finished_at=state.finished_at,
        steps=dict(state.steps),
        open=dict(state.open),
        edges=dict(state.edges),
        fired=dict(state.fired),
        generations=dict(state.generations),
        arrived=dict(state.arrived),
        passes=dict(state.passes),
        signals=dict(state.signals),
        view=dict(state.view),
        results=dict(state.results),
        inputs=dict(state.inputs),
        tolerated=dict(state.tolerated),
        failure=state.failure,
        output=state.output,
    )


def freeze(draft: Draft) -> State:
    return State(
        seq=draft.seq,
        epoch=draft.epoch,
        lifecycle=draft.lifecycle,
        paused=draft.paused,
        cancel_reason=draft.cancel_reason,
        input=draft.input,
        vars=draft.vars,
        trigger=draft.trigger,
        started_at=draft.started_at,
        deadline=draft.deadline,
        finished_at=draft.finished_at,
        steps=draft.steps,
        open=draft.open,
        edges=draft.edges,
        fired=draft.fired,
        generations=draft.generations,
        arrived=draft.arrived,
        passes=draft.passes,
        signals=draft.signals,
        view=draft.view,
        results=draft.results,
        inputs=draft.inputs,
        tolerated=draft.tolerated,
        failure=draft.failure,
        output=draft.output,
    )
