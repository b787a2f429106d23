"""The events of an execution's log: what is written once and never changed.

`docs/execution-log.md` describes every kind's payload. The engine folds them, subscriptions replay them,
statistics are rolled up from them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace

from domain.json import JSON, JSONObject


class EventKind(StrEnum):
    EXECUTION_STARTED = "EXECUTION_STARTED"
    ADOPTED = "ADOPTED"
    SEEDED = "SEEDED"
    STEP_STARTED = "STEP_STARTED"
    STEP_COMPLETED = "STEP_COMPLETED"
    STEP_FAILED = "STEP_FAILED"
    STEP_SKIPPED = "STEP_SKIPPED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    WAITING = "WAITING"
    RESUMED = "RESUMED"
    SIGNAL_RECEIVED = "SIGNAL_RECEIVED"
    CHILD_STARTED = "CHILD_STARTED"
    CHILD_FINISHED = "CHILD_FINISHED"
    VARIABLE_SET = "VARIABLE_SET"
    VERSION_CHANGED = "VERSION_CHANGED"
    PAUSED = "PAUSED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    TIMED_OUT = "TIMED_OUT"
    EXECUTION_COMPLETED = "EXECUTION_COMPLETED"
    EXECUTION_FAILED = "EXECUTION_FAILED"
    EXECUTION_CANCELLED = "EXECUTION_CANCELLED"


TERMINAL = frozenset({EventKind.EXECUTION_COMPLETED, EventKind.EXECUTION_FAILED, EventKind.EXECUTION_CANCELLED})


class Event(Struct, frozen=True, kw_only=True):
    """One row of the log. `seq` counts from 1 without gaps; `epoch` is the writer's ownership, 0 for the starter."""

    seq: int
    kind: EventKind
    at: datetime
    epoch: int = 0
    node: str | None = None
    path: str | None = None
    attempt: int | None = None
    payload: JSONObject = field(default_factory=dict[str, JSON])

    def saying(self, **more: JSON) -> Self:
        """The same event with more in its payload."""
        return replace(self, payload={**self.payload, **more})
