"""From what happened to what is written: outcomes and inbox messages as events' kinds and payloads."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from domain.engine.events import EventKind
from domain.engine.outcomes import Completed, Ended, Failed, Waiting
from domain.engine.ports import ExecutionStatus, InboxKind, InboxMessage
from domain.engine.retry import delay, may_retry
from domain.json import JSON, JSONObject
from domain.nodes import error_json
from jobs.programs import NodeProgram
from jobs.steps import Ran, taken_handles


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event to be, without its place in the log."""

    kind: EventKind
    payload: JSONObject
    path: str | None = None
    attempt: int | None = None


def of_attempt(program: NodeProgram, path: str, attempt: int, ran: Ran, at: datetime, draw: float) -> Record:
    """The one row an attempt leaves. `draw` in [0, 1) decides the jitter of a retry."""
    match ran.outcome:
        case Completed() as completed:
            return Record(kind=EventKind.STEP_COMPLETED, payload=_completed(completed, ran), path=path, attempt=attempt)
        case Waiting() as waiting:
            return Record(kind=EventKind.WAITING, payload=_waiting(waiting), path=path, attempt=attempt)
        case Ended() as ended:
            error: dict[str, JSON] = error_json(ended.code, ended.message)
            if ended.details:
                error["details"] = ended.details
            payload: dict[str, JSON] = {"error": error, "ms": ran.ms, "final": True, "ends": True}
            return Record(kind=EventKind.STEP_FAILED, payload=payload, path=path, attempt=attempt)
        case Failed() as failed:
            payload = {"error": failed.as_json(), "ms": ran.ms}
            retry = program.node.retry
            if may_retry(retry, failed, attempt):
                wait = delay(retry, failed, attempt, draw)
                payload |= {"retryAt": (at + timedelta(seconds=wait)).isoformat(), "final": False}
            else:
                handles = taken_handles(program, failed)
                payload |= {"final": True, "handles": list(handles)}
                if ran.decisions:
                    payload["edges"] = ran.decisions
            return Record(kind=EventKind.STEP_FAILED, payload=payload, path=path, attempt=attempt)
        case _:
            assert_never(ran.outcome)


def _completed(completed: Completed, ran: Ran) -> JSONObject:
    payload: dict[str, JSON] = {"output": completed.output, "handles": list(completed.handles), "ms": ran.ms}
    if completed.variables:
        payload["variables"] = completed.variables
    if ran.decisions:
        payload["edges"] = ran.decisions
    if completed.decision is not None:
        payload["decision"] = completed.decision
    if completed.logs:
        payload["logs"] = [
            {"level": line.level.value, "message": line.message, "data": line.data} for line in completed.logs
        ]
    return payload


def _waiting(waiting: Waiting) -> JSONObject:
    payload: dict[str, JSON] = {}
    if waiting.until is not None:
        payload["until"] = waiting.until.isoformat()
    if waiting.signal is not None:
        payload["signal"] = waiting.signal
    if waiting.callback:
        payload["callback"] = True
    return payload


def of_message(message: InboxMessage) -> tuple[Record, ExecutionStatus | None]:
    """The event of an inbox message, and the status it gives the execution's row.

    A skip's edges are decided by the executor, which adds them.
    """
    payload: dict[str, JSON] = dict(message.payload)
    match message.kind:
        case InboxKind.SIGNAL:
            payload["key"] = message.key
            return Record(kind=EventKind.SIGNAL_RECEIVED, payload=payload), None
        case InboxKind.CANCEL:
            return Record(kind=EventKind.CANCEL_REQUESTED, payload=payload), ExecutionStatus.RUNNING
        case InboxKind.PAUSE:
            return Record(kind=EventKind.PAUSED, payload=payload), ExecutionStatus.PAUSED
        case InboxKind.RESUME:
            return Record(kind=EventKind.RESUMED, payload=payload), ExecutionStatus.RUNNING
        case InboxKind.SKIP:
            path = str(payload.pop("path", ""))
            return Record(kind=EventKind.STEP_SKIPPED, payload=payload, path=path), None
        case InboxKind.VARIABLE:
            return Record(kind=EventKind.VARIABLE_SET, payload=payload), None
        case _:
            assert_never(message.kind)
