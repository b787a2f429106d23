"""A state as JSON and back: the snapshot cache of `execution_state`, which may be deleted at any time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.engine.causes import cause_from_json, cause_to_json
from domain.engine.outcomes import ChildEnded, ErrorHandling
from domain.engine.parents import parent_from_json, parent_to_json
from domain.engine.scopes import Failure, Loop, Round, Scope, Undo
from domain.engine.state import Lifecycle, Signal, State, StepState, StepStatus, Wait, seen
from domain.json import JSON, JSONObject
from domain.trials import trial_from_json, trial_to_json


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _text(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def to_json(state: State) -> JSONObject:
    """The snapshot of a state; outputs stand in it once, each scope's `view` is rebuilt from the steps."""
    return {
        "seq": state.seq,
        "epoch": state.epoch,
        "lifecycle": state.lifecycle.value,
        "paused": state.paused,
        "cancelReason": state.cancel_reason,
        "input": state.input,
        "vars": dict(state.vars),
        "trigger": state.trigger,
        "parent": parent_to_json(state.parent),
        "startedAt": _text(state.started_at),
        "deadline": _text(state.deadline),
        "finishedAt": _text(state.finished_at),
        "steps": [_step_to_json(step) for step in state.steps.values()],
        "open": list(state.open),
        "scopes": [_scope_to_json(scope) for scope in state.scopes.values()],
        "loops": {path: _loop_to_json(loop) for path, loop in state.loops.items()},
        "alarms": {path: _text(at) for path, at in state.alarms.items()},
        "signals": {name: [_signal_to_json(signal) for signal in queue] for name, queue in state.signals.items()},
        "inputs": dict(state.inputs),
        "undo": [_undo_to_json(undo) for undo in state.undo],
        "undoing": _undo_to_json(state.undoing) if state.undoing else None,
        "undoFailed": list(state.undo_failed),
        "terminated": state.terminated,
        "failure": _failure_to_json(state.failure),
        "output": state.output,
        "test": trial_to_json(state.trial),
        "stepping": state.stepping,
    }


def from_json(snapshot: JSON) -> State:
    """The state of a snapshot; raises KeyError, TypeError or ValueError when it is none of ours."""
    document: Any = snapshot
    steps = {step["path"]: _step_from_json(step) for step in document["steps"]}
    scopes = {scope["prefix"]: _scope_from_json(scope) for scope in document["scopes"]}
    for step in steps.values():
        if step.scope:
            scopes[step.scope].paths.append(step.path)
    _rebuild_views(scopes, steps)
    return State(
        seq=document["seq"],
        epoch=document["epoch"],
        lifecycle=Lifecycle(document["lifecycle"]),
        paused=document["paused"],
        cancel_reason=document["cancelReason"],
        input=document["input"],
        vars=document["vars"],
        trigger=document["trigger"],
        parent=parent_from_json(document["parent"]),
        started_at=_moment(document["startedAt"]),
        deadline=_moment(document["deadline"]),
        finished_at=_moment(document["finishedAt"]),
        steps=steps,
        open=dict.fromkeys(document["open"]),
        scopes=scopes,
        loops={path: _loop_from_json(loop) for path, loop in document["loops"].items()},
        alarms={path: datetime.fromisoformat(at) for path, at in document["alarms"].items()},
        signals={
            name: tuple(_signal_from_json(signal) for signal in queue) for name, queue in document["signals"].items()
        },
        inputs=document["inputs"],
        undo=tuple(_undo_from_json(undo) for undo in document["undo"]),
        undoing=_undo_from_json(document["undoing"]) if document["undoing"] else None,
        undo_failed=tuple(document["undoFailed"]),
        terminated=document["terminated"],
        failure=_failure_from_json(document["failure"]),
        output=document["output"],
        trial=trial_from_json(document.get("test")),
        stepping=document.get("stepping", False),
    )


def _rebuild_views(scopes: Mapping[str, Scope], steps: Mapping[str, StepState]) -> None:
    settled = (step for step in steps.values() if step.settled_seq and step.status is not StepStatus.CANCELLED)
    for step in sorted(settled, key=lambda step: step.settled_seq):
        if step.undoes is None:
            scopes[step.scope].view[step.node] = seen(step)


def _step_to_json(step: StepState) -> JSONObject:
    document: dict[str, JSON] = {"path": step.path, "node": step.node, "status": step.status.value}
    document |= {"sources": list(step.sources), "via": list(step.via), "attempt": step.attempt}
    optional: dict[str, JSON] = {
        "scope": step.scope or None,
        "trail": list(step.trail) or None,
        "round": step.round or None,
        "begun": step.begun or None,
        "cut": step.cut or None,
        "retryAt": _text(step.retry_at),
        "wait": _wait_to_json(step.wait) if step.wait else None,
        "signal": _signal_to_json(step.signal) if step.signal else None,
        "childEnd": cause_to_json(step.child_end) if step.child_end else None,
        "outputs": dict(step.outputs) or None,
        "error": step.error,
        "usage": step.usage,
        "undoes": step.undoes,
    }
    return {
        **document,
        **{key: value for key, value in optional.items() if value is not None},
        "handles": list(step.handles),
        "output": step.output,
        "ms": step.duration_ms,
        "activatedAt": _text(step.activated_at),
        "settledAt": _text(step.settled_at),
        "settledSeq": step.settled_seq,
        "byHand": step.skipped_by_hand,
    }


def _step_from_json(document: Any) -> StepState:
    wait, signal, child_end = document.get("wait"), document.get("signal"), document.get("childEnd")
    ended = cause_from_json(child_end) if child_end else None
    return StepState(
        path=document["path"],
        node=document["node"],
        status=StepStatus(document["status"]),
        scope=document.get("scope", ""),
        trail=tuple(document.get("trail", ())),
        sources=tuple(document["sources"]),
        via=tuple(document["via"]),
        attempt=document["attempt"],
        round=document.get("round", 0),
        begun=document.get("begun", 0),
        cut=document.get("cut", False),
        retry_at=_moment(document.get("retryAt")),
        wait=_wait_from_json(wait) if wait else None,
        signal=_signal_from_json(signal) if signal else None,
        child_end=ended if isinstance(ended, ChildEnded) else None,
        output=document["output"],
        outputs=document.get("outputs", {}),
        error=document.get("error"),
        handles=tuple(document["handles"]),
        duration_ms=document["ms"],
        usage=document.get("usage"),
        activated_at=_moment(document["activatedAt"]),
        settled_at=_moment(document["settledAt"]),
        settled_seq=document["settledSeq"],
        skipped_by_hand=document["byHand"],
        undoes=document.get("undoes"),
    )


def _wait_to_json(wait: Wait) -> JSONObject:
    return {
        "until": _text(wait.until),
        "signals": list(wait.signals),
        "callback": wait.callback,
        "child": wait.child,
        "body": wait.body,
    }


def _wait_from_json(document: Any) -> Wait:
    return Wait(
        until=_moment(document["until"]),
        signals=tuple(document["signals"]),
        callback=document["callback"],
        child=document["child"],
        body=document["body"],
    )


def _signal_to_json(signal: Signal) -> JSONObject:
    return {"key": signal.key, "payload": signal.payload, "name": signal.name}


def _signal_from_json(document: Any) -> Signal:
    return Signal(key=document["key"], payload=document["payload"], name=document["name"])


def _scope_to_json(scope: Scope) -> JSONObject:
    return {
        "prefix": scope.prefix,
        "trail": list(scope.trail),
        "owner": scope.owner,
        "index": scope.index,
        "edges": [[index, source] for index, source in scope.edges.items()],
        "rounds": [
            [name, number, each.over, [[index, source] for index, source in each.edges.items()]]
            for name, rounds in scope.rounds.items()
            for number, each in rounds.items()
        ],
        "fired": dict(scope.fired),
        "generations": dict(scope.generations),
        "arrived": {node: list(counts) for node, counts in scope.arrived.items()},
        "passes": [[index, count] for index, count in scope.passes.items()],
        "results": dict(scope.results),
        "tolerated": {
            name: [_failure_to_json(failure) for failure in failures] for name, failures in scope.tolerated.items()
        },
        "failure": _failure_to_json(scope.failure),
        "own": scope.view.get(scope.trail[-1]) if scope.owner is not None else None,
        "active": scope.active,
        "over": scope.over,
    }


def _rounds_from_json(document: Any) -> dict[str, dict[int, Round]]:
    rounds: dict[str, dict[int, Round]] = {}
    for name, number, over, edges in document:
        rounds.setdefault(name, {})[number] = Round(edges={int(index): source for index, source in edges}, over=over)
    return rounds


def _scope_from_json(document: Any) -> Scope:
    return Scope(
        prefix=document["prefix"],
        trail=tuple(document["trail"]),
        owner=document["owner"],
        index=document["index"],
        edges={int(index): source for index, source in document["edges"]},
        rounds=_rounds_from_json(document.get("rounds", ())),
        fired=dict(document["fired"]),
        generations=dict(document["generations"]),
        arrived={node: (counts[0], counts[1]) for node, counts in document["arrived"].items()},
        passes={int(index): count for index, count in document["passes"]},
        view={document["trail"][-1]: document["own"]} if document["owner"] is not None else {},
        results=dict(document["results"]),
        tolerated={
            name: tuple(Failure(error=failure["error"], path=failure["path"]) for failure in failures)
            for name, failures in document["tolerated"].items()
        },
        failure=_failure_from_json(document["failure"]),
        active=document["active"],
        over=document["over"],
    )


def _loop_to_json(loop: Loop) -> JSONObject:
    return {
        "items": list(loop.items) if loop.items is not None else None,
        "count": loop.count,
        "concurrency": loop.concurrency,
        "errorHandling": loop.error_handling.value,
        "ask": loop.ask,
        "enough": loop.enough,
        "keepLast": loop.keep_last,
        "started": loop.started,
        "ended": loop.ended,
        "good": loop.good,
        "results": [[index, result] for index, result in loop.results.items()],
        "due": cause_to_json(loop.due) if loop.due else None,
        "over": loop.over,
    }


def _loop_from_json(document: Any) -> Loop:
    return Loop(
        items=document["items"],
        count=document["count"],
        concurrency=document["concurrency"],
        error_handling=ErrorHandling(document["errorHandling"]),
        ask=document["ask"],
        enough=document["enough"],
        keep_last=document["keepLast"],
        started=document["started"],
        ended=document["ended"],
        good=document["good"],
        results={int(index): result for index, result in document["results"]},
        due=cause_from_json(document["due"]) if document["due"] else None,
        over=document["over"],
    )


def _undo_to_json(undo: Undo) -> JSONObject:
    return {
        "path": undo.path,
        "node": undo.node,
        "trail": list(undo.trail),
        "input": undo.input,
        "output": undo.output,
    }


def _undo_from_json(document: Any) -> Undo:
    return Undo(
        path=document["path"],
        node=document["node"],
        trail=tuple(document["trail"]),
        input=document["input"],
        output=document["output"],
    )


def _failure_to_json(failure: Failure | None) -> JSON:
    return {"error": failure.error, "path": failure.path} if failure else None


def _failure_from_json(document: Any) -> Failure | None:
    return Failure(error=document["error"], path=document["path"]) if document else None
