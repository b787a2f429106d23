"""The folded state of one execution: an immutable value, equal for equal logs.

Everything the engine decides from is here.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from domain.engine.outcomes import ChildEnded
from domain.engine.scopes import ROOT, Failure, Loop, Scope, Trail, Undo
from domain.json import JSON, JSONObject
from domain.trials import Trial


class Lifecycle(StrEnum):
    """NEW before the first event; ENDING when a failure or a cancellation has stopped new steps but compensations."""

    NEW = "NEW"
    RUNNING = "RUNNING"
    ENDING = "ENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return self in (Lifecycle.COMPLETED, Lifecycle.FAILED, Lifecycle.CANCELLED)


class StepStatus(StrEnum):
    """ACTIVE: activated, to run or running. RETRYING: its last attempt failed and another is due."""

    ACTIVE = "ACTIVE"
    RETRYING = "RETRYING"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def open(self) -> bool:
        return self in (StepStatus.ACTIVE, StepStatus.RETRYING, StepStatus.WAITING)


class Wait(Struct, frozen=True, kw_only=True):
    """`child`: the execution whose end is awaited. `body`: the step waits for its own iterations."""

    until: datetime | None = None
    signals: tuple[str, ...] = ()
    callback: bool = False
    child: str | None = None
    body: bool = False


class Signal(Struct, frozen=True, kw_only=True):
    key: str
    payload: JSON
    name: str = ""


class StepState(Struct, frozen=True, kw_only=True):
    """One activation of a node. `sources` are the paths of the steps whose edges activated it, `via` their handles.

    `round`: where a `join: each` has let several threads through, which of them this is, from 1; 0 before any.
    `begun`: the attempt that the log says has begun, for a step that must not run twice; 0: none.
    `cut`: nothing follows from it any more, but it may finish, to be undone then.
    `scope`: the prefix of the pass it belongs to, `trail` the graph. `undoes`: it compensates the step at that path.
    `skipped_by_hand`: somebody gave its output instead of running it. `activated_at` and `settled_at` are the
    times of the events that did so. `signal` and `child_end`: what it is to be resumed with.
    """

    path: str
    node: str
    status: StepStatus
    scope: str = ROOT
    trail: Trail = ()
    sources: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    round: int = 0
    attempt: int = 1
    begun: int = 0
    cut: bool = False
    retry_at: datetime | None = None
    wait: Wait | None = None
    signal: Signal | None = None
    child_end: ChildEnded | None = None
    output: JSON = None
    outputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    error: JSONObject | None = None
    handles: tuple[str, ...] = ()
    duration_ms: float | None = None
    usage: JSONObject | None = None
    activated_at: datetime | None = None
    settled_at: datetime | None = None
    settled_seq: int = 0
    skipped_by_hand: bool = False
    undoes: str | None = None


class Parent(Struct, frozen=True, kw_only=True):
    """The execution that began this one, and the step that waits for its end (None: it does not wait).

    `depth`: how many executions are above this one.
    """

    execution: str
    path: str | None
    depth: int = 1


class State(Struct, frozen=True, kw_only=True):
    """`scopes` by prefix and `loops` by their step's path; `alarms`: deadlines of what a `parallel` has begun.

    `undo`: finished steps that can be undone, in the order of their completion; `undoing`: the one being undone;
    `undo_failed`: those that could not.
    `terminated`: a step has ended the execution, successfully. `inputs`: edited inputs, by path.
    `trial`: it runs in test mode. `stepping`: it stops before every step.
    """

    seq: int = 0
    epoch: int = 0
    lifecycle: Lifecycle = Lifecycle.NEW
    paused: bool = False
    cancel_reason: str | None = None
    input: JSON = None
    vars: JSONObject = field(default_factory=dict[str, JSON])
    trigger: JSONObject = field(default_factory=dict[str, JSON])
    parent: Parent | None = None
    started_at: datetime | None = None
    deadline: datetime | None = None
    finished_at: datetime | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict[str, StepState])
    open: Mapping[str, None] = field(default_factory=dict[str, None])
    scopes: Mapping[str, Scope] = field(default_factory=lambda: {ROOT: Scope()})
    loops: Mapping[str, Loop] = field(default_factory=dict[str, Loop])
    alarms: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    signals: Mapping[str, tuple[Signal, ...]] = field(default_factory=dict[str, tuple[Signal, ...]])
    inputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    undo: tuple[Undo, ...] = ()
    undoing: Undo | None = None
    undo_failed: tuple[str, ...] = ()
    terminated: bool = False
    failure: Failure | None = None
    output: JSON = None
    trial: Trial | None = None
    stepping: bool = False

    @property
    def root(self) -> Scope:
        """The execution's own pass."""
        return self.scopes[ROOT]


def seen(step: StepState) -> JSON:
    """What expressions see of a settled step."""
    document: dict[str, JSON] = {"output": step.output, "status": step.status.value}
    if step.error is not None:
        document["error"] = step.error
    return document


def generation(path: str) -> int:
    """1 for `price`, 2 for `price#2`."""
    _, separator, number = path.rpartition("#")
    return int(number) if separator else 1
