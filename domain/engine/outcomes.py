"""What a node's run may come to: values, matched exhaustively by the executor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.graphs import OUT
from domain.json import JSON, JSONObject


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the execution's log, kept in the payload of the outcome that wrote it."""

    level: LogLevel
    message: str
    data: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The step is done. `handles` are the outputs taken; `variables` are set for the rest of the execution."""

    output: JSON = None
    handles: tuple[str, ...] = (OUT,)
    variables: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    decision: JSON = None
    """Why these handles: the condition and the values it saw, for the log."""
    logs: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """This attempt failed. `code` is stable and in capitals; `details` is shown to the owner of the workflow."""

    code: str
    message: str
    retryable: bool = True
    retry_after: float | None = None
    remedy: str | None = None
    details: JSONObject = field(default_factory=dict[str, JSON])

    def as_json(self) -> JSONObject:
        error: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.remedy:
            error["remedy"] = self.remedy
        if self.details:
            error["details"] = self.details
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The step waits for a moment (`until`), a signal of this name, or whichever comes first.

    `callback` marks a wait that `ANY /resume/{token}` ends: its signal name is the step's own (`callback:PATH`).
    """

    until: datetime | None = None
    signal: str | None = None
    callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The execution fails here and now, whatever the node's `onError` says (the `fail` node)."""

    message: str
    code: str = "FAILED_BY_WORKFLOW"
    details: JSONObject = field(default_factory=dict[str, JSON])


Outcome = Completed | Failed | Waiting | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalArrived:
    """A wait is over because its signal came, with this payload."""

    payload: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """A wait is over because its moment has come."""


Cause = SignalArrived | TimerDue
