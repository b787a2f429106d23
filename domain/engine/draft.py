"""A state being worked on: copied once per transition, changed in place, frozen again."""

from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from domain.engine.commands import CancelStep, Command
from domain.engine.scopes import ROOT, Failure, Loop, Scope, Trail, Undo
from domain.engine.state import Lifecycle, Parent, Signal, State, StepState, StepStatus, seen
from domain.json import JSON
from domain.trials import BREAKPOINT, Trial


class Draft(Struct):
    """Same fields as State, mutable. `commands` gathers what the transition asks for.

    `undoable`: the nodes, with their trails, whose steps a failure undoes.
    `drained`: the scopes whose last open step the transition has settled. `keeps`: finished iterations keep their
    steps, for readers; an owner lets them collapse to their result.
    """

    seq: int
    epoch: int
    lifecycle: Lifecycle
    paused: bool
    cancel_reason: str | None
    input: JSON
    vars: dict[str, JSON]
    trigger: dict[str, JSON]
    parent: Parent | None
    started_at: datetime | None
    deadline: datetime | None
    finished_at: datetime | None
    steps: dict[str, StepState]
    open: dict[str, None]
    scopes: dict[str, Scope]
    loops: dict[str, Loop]
    alarms: dict[str, datetime]
    signals: dict[str, tuple[Signal, ...]]
    inputs: dict[str, JSON]
    undo: list[Undo]
    undoing: Undo | None
    undo_failed: list[str]
    terminated: bool
    failure: Failure | None
    output: JSON
    trial: Trial | None
    stepping: bool
    keeps: bool = False
    undoable: frozenset[tuple[Trail, str]] = frozenset()
    commands: list[Command] = field(default_factory=list[Command])
    drained: list[str] = field(default_factory=list[str])

    @property
    def root(self) -> Scope:
        """The execution's own pass."""
        return self.scopes[ROOT]

    def put(self, step: StepState) -> None:
        """Store a step and keep `open`, its scope's count and `view` true to it."""
        scope = self.scopes[step.scope]
        if step.status.open:
            if step.path not in self.open:
                scope.active += 1
            self.steps[step.path] = step
            self.open[step.path] = None
            return
        if step.settled_seq != self.seq:
            step = replace(step, settled_seq=self.seq)
        self.steps[step.path] = step
        if step.path in self.open:
            del self.open[step.path]
            scope.active -= 1
            if scope.active == 0:
                self.drained.append(step.scope)
        if step.status is not StepStatus.CANCELLED and step.undoes is None:
            scope.view[step.node] = seen(step)

    def cut_off(self, path: str, at: datetime) -> None:
        """An open step is no longer wanted because of a failure.

        What may be under way and can be undone is not cancelled: only when it has finished is it known what to undo.
        """
        step = self.steps[path]
        if step.status is StepStatus.ACTIVE and step.undoes is None and (step.trail, step.node) in self.undoable:
            self.put(replace(step, cut=True))
            return
        self.empty(path, at, failed=True)
        self.cancel(path, at)

    def cancel(self, path: str, at: datetime) -> None:
        """An open step is no longer wanted, nor what is inside it; a signal it held goes back to the front."""
        step = self.steps[path]
        if step.signal is not None and not step.signal.name.startswith(BREAKPOINT):
            name = step.signal.name
            self.signals[name] = (step.signal, *self.signals.get(name, ()))
        self.leave(path, at)
        self.put(replace(step, status=StepStatus.CANCELLED, settled_at=at, retry_at=None, signal=None))
        self.commands.append(stop(step))

    def leave(self, path: str, at: datetime) -> None:
        """The step at `path` has no more use for its body, if it has one."""
        if path in self.loops:
            self.empty(path, at)
            if not self.keeps and not self._finishing(f"{path}["):
                del self.loops[path]

    def empty(self, path: str, at: datetime, *, failed: bool = False) -> None:
        """Stop every iteration of the step at `path`; what was cut off finishes."""
        inside = f"{path}["
        for step in [step for step in self.open if step.startswith(inside)]:
            if step in self.open and not self.steps[step].cut:  # a loop in the loop takes its own with it
                (self.cut_off if failed else self.cancel)(step, at)
        for prefix in [prefix for prefix in self.scopes if prefix.startswith(inside)]:
            self.forget(prefix)

    def forget(self, prefix: str) -> None:
        """A pass is over: only what it came to is still known, once nothing in it runs any more."""
        if self.keeps or self.scopes[prefix].active or self._finishing(prefix):
            return
        for path in self.scopes.pop(prefix).paths:
            self.steps.pop(path, None)

    def _finishing(self, prefix: str) -> bool:
        """Whether something in there was cut off and still runs."""
        return bool(self.undoable) and any(path.startswith(prefix) and self.steps[path].cut for path in self.open)


def stop(step: StepState) -> CancelStep:
    """The command that ends what the step does, and what it waits for."""
    wait = step.wait
    if wait is None:
        return CancelStep(path=step.path)
    child = wait.child if step.child_end is None else None
    return CancelStep(path=step.path, child=child, signals=wait.signals)


def thaw(state: State, *, keeps: bool = False) -> Draft:
    """A draft of its own; `keeps` as in Draft."""
    return Draft(
        seq=state.seq,
        epoch=state.epoch,
        lifecycle=state.lifecycle,
        paused=state.paused,
        cancel_reason=state.cancel_reason,
        input=state.input,
        vars=dict(state.vars),
        trigger=dict(state.trigger),
        parent=state.parent,
        started_at=state.started_at,
        deadline=state.deadline,
        finished_at=state.finished_at,
        steps=dict(state.steps),
        open=dict(state.open),
        scopes={prefix: scope.copy() for prefix, scope in state.scopes.items()},
        loops={path: loop.copy() for path, loop in state.loops.items()},
        alarms=dict(state.alarms),
        signals=dict(state.signals),
        inputs=dict(state.inputs),
        undo=list(state.undo),
        undoing=state.undoing,
        undo_failed=list(state.undo_failed),
        terminated=state.terminated,
        failure=state.failure,
        output=state.output,
        trial=state.trial,
        stepping=state.stepping,
        keeps=keeps,
    )


def freeze(draft: Draft) -> State:
    """What the draft is now. It shares the draft's collections: thaw it to go on with a copy."""
    return State(
        seq=draft.seq,
        epoch=draft.epoch,
        lifecycle=draft.lifecycle,
        paused=draft.paused,
        cancel_reason=draft.cancel_reason,
        input=draft.input,
        vars=draft.vars,
        trigger=draft.trigger,
        parent=draft.parent,
        started_at=draft.started_at,
        deadline=draft.deadline,
        finished_at=draft.finished_at,
        steps=draft.steps,
        open=draft.open,
        scopes=draft.scopes,
        loops=draft.loops,
        alarms=draft.alarms,
        signals=draft.signals,
        inputs=draft.inputs,
        undo=tuple(draft.undo),
        undoing=draft.undoing,
        undo_failed=tuple(draft.undo_failed),
        terminated=draft.terminated,
        failure=draft.failure,
        output=draft.output,
        trial=draft.trial,
        stepping=draft.stepping,
    )
