"""How events and live messages travel over Redis: compact JSON, and the names of the channels."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.ids import ExecutionId, TaskId, TenantId, WorkflowId
from domain.live import Activity, Changed, Events, LiveMessage, Lost, TaskChanged

_MOST_BYTES = 65_536
"""A larger message is replaced by a hint to read the log: live frames carry no megabytes."""
_READ_THE_LOG = b"null"


def execution_channel(tenant: TenantId, execution: ExecutionId) -> str:
    return f"weir:{tenant}:execution:{execution}"


def tenant_channel(tenant: TenantId) -> str:
    return f"weir:{tenant}:executions"


def encode_events(events: Sequence[Event]) -> bytes:
    rows = [
        [
            event.seq,
            event.kind,
            event.at,
            event.epoch,
            event.node,
            event.path,
            event.attempt,
            event.payload,
        ]
        for event in events
    ]
    try:
        message = orjson.dumps(rows)
    except TypeError:  # the database has its own way to write what this cannot
        return _READ_THE_LOG
    return message if len(message) <= _MOST_BYTES else _READ_THE_LOG


def encode_activity(path: str, node: str, attempt: int, status: str, at: datetime) -> bytes:
    return orjson.dumps({"path": path, "node": node, "attempt": attempt, "status": status, "at": at})


def encode_change(execution: ExecutionId, workflow: WorkflowId, status: ExecutionStatus, at: datetime) -> bytes:
    return orjson.dumps({"execution": str(execution), "workflow": str(workflow), "status": status, "at": at})


def encode_tasks(ids: Sequence[TaskId]) -> bytes:
    return orjson.dumps({"tasks": [str(each) for each in ids]})


def decode(message: bytes) -> LiveMessage:
    """What was published; a message that says nothing of its own is a reason to read the log."""
    document: Any = orjson.loads(message)
    if isinstance(document, list):
        return Events(events=[_event(row) for row in document])  # pyright: ignore[reportUnknownVariableType]
    if document is None:
        return Lost()
    if "tasks" in document:
        return TaskChanged(ids=[TaskId(UUID(text)) for text in document["tasks"]])
    moment = datetime.fromisoformat(document["at"])
    if "execution" in document:
        return Changed(
            execution_id=ExecutionId(UUID(document["execution"])),
            workflow_id=WorkflowId(UUID(document["workflow"])),
            status=ExecutionStatus(document["status"]),
            at=moment,
        )
    return Activity(
        path=document["path"],
        node=document["node"],
        attempt=document["attempt"],
        status=document["status"],
        at=moment,
    )


def _event(row: Any) -> Event:
    seq, kind, at, epoch, node, path, attempt, payload = row
    return Event(
        seq=seq,
        kind=EventKind(kind),
        at=datetime.fromisoformat(at),
        epoch=epoch,
        node=node,
        path=path,
        attempt=attempt,
        payload=payload,
    )
