"""From what happened to what is written: outcomes and inbox messages as events' kinds and payloads."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from domain.engine.events import EventKind
from domain.engine.outcomes import Calling, Completed, Ended, ErrorHandling, Failed, Iterating, LogLine, Waiting
from domain.engine.ports import ExecutionStatus, InboxKind, InboxMessage
from domain.engine.retry import delay, may_retry
from domain.ids import VersionId, decode, encode
from domain.json import JSON, JSONObject
from domain.nodes import error_json
from jobs.programs import NodeProgram
from jobs.steps import Ran, taken_handles


class Record(Struct, frozen=True, kw_only=True):
    """An event to be, without its place in the log."""

    kind: EventKind
    payload: JSONObject
    path: str | None = None
    attempt: int | None = None


def of_attempt(program: NodeProgram, path: str, attempt: int, ran: Ran, at: datetime, draw: float) -> Record:
    """The one row an attempt leaves, marked in a test. `draw` in [0, 1) decides the jitter of a retry."""
    record = _of_outcome(program, path, attempt, ran, at, draw)
    return record if ran.mark is None else replace(record, payload={**record.payload, ran.mark.value: True})


def _of_outcome(program: NodeProgram, path: str, attempt: int, ran: Ran, at: datetime, draw: float) -> Record:
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
            payload = _failed(program, failed, ran, attempt, at, draw)
            return Record(kind=EventKind.STEP_FAILED, payload=payload, path=path, attempt=attempt)
        case Iterating() as iterating:
            payload = {"loop": _iterating(iterating)}
            return Record(kind=EventKind.WAITING, payload=payload, path=path, attempt=attempt)
        case Calling() as calling:
            return Record(kind=EventKind.CHILD_STARTED, payload=_calling(calling), path=path, attempt=attempt)
        case _:
            assert_never(ran.outcome)


def _completed(completed: Completed, ran: Ran) -> JSONObject:
    payload: dict[str, JSON] = {"output": completed.output, "handles": list(completed.handles), "ms": ran.ms}
    if completed.outputs:
        payload["outputs"] = completed.outputs
    if completed.variables:
        payload["variables"] = completed.variables
    if ran.decisions:
        payload["edges"] = ran.decisions
    if completed.decision is not None:
        payload["decision"] = completed.decision
    if completed.logs:
        payload["logs"] = _logs(completed.logs)
    if completed.usage is not None:
        payload["usage"] = completed.usage
    if completed.cancels:
        payload["cancels"] = list(completed.cancels)
    if completed.terminates:
        payload["terminates"] = True
    if completed.deadline is not None:
        payload["deadline"] = completed.deadline.isoformat()
    if completed.cached:
        payload["cached"] = True
    return payload


def _failed(program: NodeProgram, failed: Failed, ran: Ran, attempt: int, at: datetime, draw: float) -> dict[str, JSON]:
    payload: dict[str, JSON] = {"error": failed.as_json(), "ms": ran.ms}
    if failed.logs:
        payload["logs"] = _logs(failed.logs)
    if failed.usage is not None:
        payload["usage"] = failed.usage
    retry = program.node.retry
    if may_retry(retry, failed, attempt):
        wait = delay(retry, failed, attempt, draw)
        return payload | {"retryAt": (at + timedelta(seconds=wait)).isoformat(), "final": False}
    payload |= {"final": True, "handles": list(taken_handles(program, failed))}
    if ran.decisions:
        payload["edges"] = ran.decisions
    return payload


def _logs(lines: Sequence[LogLine]) -> list[JSON]:
    return [{"level": line.level.value, "message": line.message, "data": line.data} for line in lines]


def _iterating(iterating: Iterating) -> JSONObject:
    payload: dict[str, JSON] = {
        "items": list(iterating.items) if iterating.items is not None else None,
        "count": iterating.count,
        "concurrency": iterating.concurrency if iterating.concurrency != 1 else None,
        "errorHandling": iterating.error_handling.value if iterating.error_handling != ErrorHandling.STOP else None,
        "ask": iterating.ask or None,
        "enough": iterating.enough,
        "keepLast": iterating.keep_last or None,
        "stop": iterating.stop or None,
        "decision": iterating.decision,
    }
    return {key: value for key, value in payload.items() if value is not None}


def _calling(calling: Calling) -> JSONObject:
    child = calling.child
    return {
        "execution": encode("execution", child.id),
        "workflowId": encode("workflow", child.workflow_id),
        "versionId": encode("version", child.version_id),
        "workflow": calling.workflow,
    }


def _waiting(waiting: Waiting) -> JSONObject:
    payload: dict[str, JSON] = {}
    if waiting.until is not None:
        payload["until"] = waiting.until.isoformat()
    if len(waiting.names) == 1:
        payload["signal"] = waiting.names[0]
    elif waiting.names:
        payload["signals"] = list(waiting.names)
    if waiting.callback:
        payload["callback"] = True
    if waiting.lock is not None:
        payload["lock"] = waiting.lock
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
        case InboxKind.CHILD:
            path = str(payload.pop("path", ""))
            return Record(kind=EventKind.CHILD_FINISHED, payload=payload, path=path), None
        case InboxKind.VARIABLE:
            return Record(kind=EventKind.VARIABLE_SET, payload=payload), None
        case InboxKind.MIGRATE:
            return Record(kind=EventKind.VERSION_CHANGED, payload=payload), None
        case _:
            assert_never(message.kind)


def version_of(record: Record) -> VersionId | None:
    """The version the execution goes on with from this event on, None for no change."""
    if record.kind is not EventKind.VERSION_CHANGED or record.payload.get("obstacles"):
        return None
    return VersionId(decode("version", str(record.payload["to"])))
