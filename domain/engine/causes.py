"""What wakes a waiting step, as JSON and back."""

from typing import Any, assert_never

from domain.engine.outcomes import BodyFailed, Cause, ChildEnded, IterationEnded, LoopEnded, SignalArrived, TimerDue
from domain.json import JSON, JSONObject


def cause_to_json(cause: Cause) -> JSONObject:
    match cause:
        case SignalArrived(payload=payload, name=name):
            return {"kind": "signal", "payload": payload, "name": name}
        case TimerDue():
            return {"kind": "timer"}
        case IterationEnded():
            return {
                "kind": "iteration",
                "index": cause.index,
                "item": cause.item,
                "result": cause.result,
                "more": cause.more,
            }
        case LoopEnded(results=results):
            return {"kind": "loop", "results": list(results)}
        case BodyFailed(index=index, error=error, path=path):
            return {"kind": "body", "index": index, "error": error, "path": path}
        case ChildEnded():
            return {
                "kind": "child",
                "execution": cause.execution,
                "status": cause.status,
                "output": cause.output,
                "error": cause.error,
            }
        case _:
            assert_never(cause)


def cause_from_json(value: JSON) -> Cause:
    """The inverse of `cause_to_json`; raises KeyError, TypeError or ValueError for anything else."""
    document: Any = value
    members = {key: member for key, member in document.items() if key != "kind"}
    kinds = {
        "signal": SignalArrived,
        "timer": TimerDue,
        "iteration": IterationEnded,
        "loop": LoopEnded,
        "body": BodyFailed,
        "child": ChildEnded,
    }
    return kinds[document["kind"]](**members)
