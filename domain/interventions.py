"""What people did to an execution while it ran, read out of its log: who, when, what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.engine.events import Event, EventKind
from domain.executions import LogReader
from domain.ids import ExecutionId
from domain.json import JSON
from domain.signals import RESERVED

CHUNK = 500


class InterventionKind(StrEnum):
    RETRY = "RETRY"
    CANCEL = "CANCEL"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    SKIP = "SKIP"
    MIGRATE = "MIGRATE"
    SIGNAL = "SIGNAL"
    VARIABLE = "VARIABLE"


_KINDS: Mapping[EventKind, InterventionKind] = {
    EventKind.EXECUTION_STARTED: InterventionKind.RETRY,
    EventKind.CANCEL_REQUESTED: InterventionKind.CANCEL,
    EventKind.PAUSED: InterventionKind.PAUSE,
    EventKind.RESUMED: InterventionKind.RESUME,
    EventKind.STEP_SKIPPED: InterventionKind.SKIP,
    EventKind.VERSION_CHANGED: InterventionKind.MIGRATE,
    EventKind.SIGNAL_RECEIVED: InterventionKind.SIGNAL,
    EventKind.VARIABLE_SET: InterventionKind.VARIABLE,
}

_VALUES = {
    EventKind.STEP_SKIPPED: "output",
    EventKind.SIGNAL_RECEIVED: "payload",
    EventKind.VARIABLE_SET: "value",
    EventKind.VERSION_CHANGED: "to",
}
"""Under which key of its payload the event tells what was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """One entry, told by the event `seq`. `by` is the TypeID of who did it, None for the engine itself.

    `path`: the step that was skipped. `name`: of the signal or the variable. `value`: the skipped step's output, the
    signal's payload, the variable's value, the id of the version that was wished for. `reason`: of a cancellation.
    """

    kind: InterventionKind
    seq: int
    at: datetime
    by: str | None
    path: str | None = None
    name: str | None = None
    value: JSON = None
    reason: str | None = None


async def read(execution_id: ExecutionId, after: int, limit: int, *, log: LogReader) -> Sequence[Intervention]:
    """Up to `limit` behind the event `after`, in order. What answered a task or a link is none: it was asked for."""
    found: list[Intervention] = []
    seq = after
    while len(found) < limit:
        events = await log.of_kinds(execution_id, tuple(_KINDS), seq, CHUNK)
        found += [_intervention(event) for event in events if _intervenes(event)]
        if len(events) < CHUNK:
            break
        seq = events[-1].seq
    return found[:limit]


def _intervenes(event: Event) -> bool:
    match event.kind:
        case EventKind.EXECUTION_STARTED:
            return "retryOf" in event.payload
        case EventKind.SIGNAL_RECEIVED:
            return not str(event.payload.get("name")).startswith(RESERVED)
        case _:
            return True


def _intervention(event: Event) -> Intervention:
    payload = event.payload
    return Intervention(
        kind=_KINDS[event.kind],
        seq=event.seq,
        at=event.at,
        by=_text(payload.get("by")),
        path=event.path,
        name=_text(payload.get("name")),
        value=payload.get(_VALUES.get(event.kind, "")),
        reason=_text(payload.get("reason")),
    )


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None
