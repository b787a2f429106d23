"""The folded state of one execution: an immutable value, equal for equal logs.

Everything the engine decides from is here; the JSON form is the snapshot cache of `execution_state`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.json import JSON, JSONObject


class Lifecycle(StrEnum):
    """NEW before the first event; ENDING when a failure or a cancellation has stopped new steps."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    until: datetime | None = None
    signal: str | None = None
    callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    key: str
    payload: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One activation of a node. `sources` are the paths of the steps whose edges activated it.

    `skipped_by_hand`: somebody gave its output instead of running it. `activated_at` and `settled_at` are the
    times of the events that did so.
    """

    path: str
    node: str
    status: StepStatus
    sources: tuple[str, ...] = ()
    attempt: int = 1
    retry_at: datetime | None = None
    wait: Wait | None = None
    signal: Signal | None = None
    output: JSON = None
    error: JSONObject | None = None
    handles: tuple[str, ...] = ()
    duration_ms: float | None = None
    activated_at: datetime | None = None
    settled_at: datetime | None = None
    settled_seq: int = 0
    skipped_by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    error: JSONObject
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`edges`: settled edges of the current pass, the source's path when taken, None when dead.

    `fired`: the current activation of a node, absent while it waits for its edges. `generations`: activations so far.
    `arrived`: (taken, dead) incoming edges of a node. `passes`: how often a back edge was taken.
    `view`: what expressions see as `steps`. `tolerated`: failures borne by a merge.
    """

    seq: int = 0
    epoch: int = 0
    lifecycle: Lifecycle = Lifecycle.NEW
    paused: bool = False
    cancel_reason: str | None = None
    input: JSON = None
    vars: JSONObject = field(default_factory=dict[str, JSON])
    trigger: JSONObject = field(default_factory=dict[str, JSON])
    started_at: datetime | None = None
    deadline: datetime | None = None
    finished_at: datetime | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict[str, StepState])
    open: Mapping[str, None] = field(default_factory=dict[str, None])
    edges: Mapping[int, str | None] = field(default_factory=dict[int, "str | None"])
    fired: Mapping[str, str] = field(default_factory=dict[str, str])
    generations: Mapping[str, int] = field(default_factory=dict[str, int])
    arrived: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    passes: Mapping[int, int] = field(default_factory=dict[int, int])
    signals: Mapping[str, tuple[Signal, ...]] = field(default_factory=dict[str, tuple[Signal, ...]])
    view: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    results: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    inputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    tolerated: Mapping[str, tuple[Failure, ...]] = field(default_factory=dict[str, tuple[Failure, ...]])
    failure: Failure | None = None
    output: JSON = None


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _text(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _step_to_json(step: StepState) -> dict[str, JSON]:
    document: dict[str, JSON] = {"path": step.path, "node": step.node, "status": step.status.value}
    document |= {"sources": list(step.sources), "attempt": step.attempt, "handles": list(step.handles)}
    if step.retry_at:
        document["retryAt"] = _text(step.retry_at)
    if step.wait:
        document["wait"] = {
            "until": _text(step.wait.until),
            "signal": step.wait.signal,
            "callback": step.wait.callback,
        }
    if step.signal:
        document["signal"] = {"key": step.signal.key, "payload": step.signal.payload}
    if step.error is not None:
        document["error"] = step.error
    return document | {
        "output": step.output,
        "ms": step.duration_ms,
        "activatedAt": _text(step.activated_at),
        "settledAt": _text(step.settled_at),
        "settledSeq": step.settled_seq,
        "byHand": step.skipped_by_hand,
    }


def _step_from_json(document: Any) -> StepState:
    wait, signal = document.get("wait"), document.get("signal")
    return StepState(
        path=document["path"],
        node=document["node"],
        status=StepStatus(document["status"]),
        sources=tuple(document["sources"]),
        attempt=document["attempt"],
        retry_at=_moment(document.get("retryAt")),
        wait=Wait(until=_moment(wait["until"]), signal=wait["signal"], callback=wait["callback"]) if wait else None,
        signal=Signal(key=signal["key"], payload=signal["payload"]) if signal else None,
        output=document["output"],
        error=document.get("error"),
        handles=tuple(document["handles"]),
        duration_ms=document["ms"],
        activated_at=_moment(document["activatedAt"]),
        settled_at=_moment(document["settledAt"]),
        settled_seq=document["settledSeq"],
        skipped_by_hand=document["byHand"],
    )


def _failure_to_json(failure: Failure | None) -> JSON:
    return {"error": failure.error, "path": failure.path} if failure else None


def _failure_from_json(document: Any) -> Failure | None:
    return Failure(error=document["error"], path=document["path"]) if document else None


def to_json(state: State) -> JSONObject:
    """The snapshot of a state; outputs stand in it once, `view` is rebuilt from the steps."""
    return {
        "seq": state.seq,
        "epoch": state.epoch,
        "lifecycle": state.lifecycle.value,
        "paused": state.paused,
        "cancelReason": state.cancel_reason,
        "input": state.input,
        "vars": dict(state.vars),
        "trigger": state.trigger,
        "startedAt": _text(state.started_at),
        "deadline": _text(state.deadline),
        "finishedAt": _text(state.finished_at),
        "steps": [_step_to_json(step) for step in state.steps.values()],
        "open": list(state.open),
        "edges": [[index, source] for index, source in state.edges.items()],
        "fired": dict(state.fired),
        "generations": dict(state.generations),
        "arrived": {node: list(counts) for node, counts in state.arrived.items()},
        "passes": [[index, count] for index, count in state.passes.items()],
        "signals": {
            name: [{"key": signal.key, "payload": signal.payload} for signal in queue]
            for name, queue in state.signals.items()
        },
        "results": dict(state.results),
        "inputs": dict(state.inputs),
        "tolerated": {
            merge: [_failure_to_json(failure) for failure in failures] for merge, failures in state.tolerated.items()
        },
        "failure": _failure_to_json(state.failure),
        "output": state.output,
    }


def from_json(snapshot: JSON) -> State:
    """The state of a snapshot; raises KeyError, TypeError or ValueError when it is none of ours."""
    document: Any = snapshot
    steps = {step["path"]: _step_from_json(step) for step in document["steps"]}
    state = State(
        seq=document["seq"],
        epoch=document["epoch"],
        lifecycle=Lifecycle(document["lifecycle"]),
        paused=document["paused"],
        cancel_reason=document["cancelReason"],
        input=document["input"],
        vars=document["vars"],
        trigger=document["trigger"],
        started_at=_moment(document["startedAt"]),
        deadline=_moment(document["deadline"]),
        finished_at=_moment(document["finishedAt"]),
        steps=steps,
        open=dict.fromkeys(document["open"]),
        edges={int(index): source for index, source in document["edges"]},
        fired=document["fired"],
        generations=document["generations"],
        arrived={node: (counts[0], counts[1]) for node, counts in document["arrived"].items()},
        passes={int(index): count for index, count in document["passes"]},
        signals={
            name: tuple(Signal(key=signal["key"], payload=signal["payload"]) for signal in queue)
            for name, queue in document["signals"].items()
        },
        results=document["results"],
        inputs=document["inputs"],
        tolerated={
            merge: tuple(Failure(error=failure["error"], path=failure["path"]) for failure in failures)
            for merge, failures in document["tolerated"].items()
        },
        failure=_failure_from_json(document["failure"]),
        output=document["output"],
    )
    return replace(state, view=_view(steps))


def seen(step: StepState) -> JSON:
    """What expressions see of a settled step."""
    document: dict[str, JSON] = {"output": step.output, "status": step.status.value}
    if step.error is not None:
        document["error"] = step.error
    return document


def _view(steps: Mapping[str, StepState]) -> Mapping[str, JSON]:
    settled = (step for step in steps.values() if step.settled_seq and step.status is not StepStatus.CANCELLED)
    return {step.node: seen(step) for step in sorted(settled, key=lambda step: step.settled_seq)}


def generation(path: str) -> int:
    """1 for `price`, 2 for `price#2`."""
    _, separator, number = path.rpartition("#")
    return int(number) if separator else 1
