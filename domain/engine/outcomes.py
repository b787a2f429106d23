"""What a node's run may come to, and what wakes one that waits: values, matched exhaustively by the executor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.graphs import OUT
from domain.json import JSON, JSONObject
from domain.starts import NewExecution


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
    """The step is done. `handles` are the outputs taken; `variables` are set for the rest of the execution.

    `outputs`: what goes over a handle where that is not `output`. `cancels`: the nodes beside this one whose running
    steps are no longer wanted. `terminates`: the execution ends here, successfully, whatever else runs.
    `deadline`: when what this step has begun must have come together (`parallel`).
    """

    output: JSON = None
    handles: tuple[str, ...] = (OUT,)
    outputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    variables: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    decision: JSON = None
    """Why these handles: the condition and the values it saw, for the log."""
    logs: tuple[LogLine, ...] = ()
    usage: JSONObject | None = None
    """What the run consumed, for the log: `cpuMs`, `memoryBytes`, `tokens`, …"""
    cancels: tuple[str, ...] = ()
    terminates: bool = False
    deadline: datetime | None = None
    cached: bool = False
    """The result of an earlier run, used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """This attempt failed. `code` is stable and in capitals; `details` is shown to the owner of the workflow.

    `caught`: the step's own config asks for the `error` handle, whatever the node's `onError` says.
    """

    code: str
    message: str
    retryable: bool = True
    retry_after: float | None = None
    remedy: str | None = None
    details: JSONObject = field(default_factory=dict[str, JSON])
    logs: tuple[LogLine, ...] = ()
    usage: JSONObject | None = None
    caught: bool = False

    def as_json(self) -> JSONObject:
        error: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.remedy:
            error["remedy"] = self.remedy
        if self.details:
            error["details"] = self.details
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The step waits for a moment (`until`), one of these signals, or whichever comes first.

    `callback` marks a wait that `ANY /resume/{token}` ends: its signal name is the step's own (`callback:PATH`).
    """

    until: datetime | None = None
    signal: str | None = None
    signals: tuple[str, ...] = ()
    callback: bool = False
    lock: JSONObject | None = None
    """The lock that is waited for, for the log: its `name` and the `position` in its line, from 1."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every signal that ends the wait."""
        return self.signals if self.signal is None else (self.signal, *self.signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The execution fails here and now, whatever the node's `onError` says (the `fail` node)."""

    message: str
    code: str = "FAILED_BY_WORKFLOW"
    details: JSONObject = field(default_factory=dict[str, JSON])


class ErrorHandling(StrEnum):
    """What a failed branch or iteration means for the others: end them, do without it, or keep its error too."""

    STOP = "stop"
    CONTINUE = "continue"
    COLLECT = "collect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Iterating:
    """The step's body is to run: once per element of `items`, `count` times, or, with neither, until the step says so.

    `ask`: the step is resumed after every iteration and says by another Iterating that the next may begin; then one
    runs at a time. `enough`: that many successful iterations end the loop, the others are cancelled.
    `keep_last`: only the last result is kept. Of a later Iterating only `stop` and `decision` count.
    """

    items: Sequence[JSON] | None = None
    count: int | None = None
    concurrency: int = 1
    error_handling: ErrorHandling = ErrorHandling.STOP
    ask: bool = False
    enough: int | None = None
    keep_last: bool = False
    stop: bool = False
    decision: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """Another execution is to begin, in the transaction that records it; with `wait` its end resumes the step."""

    child: NewExecution
    workflow: str
    wait: bool = True


Outcome = Completed | Failed | Waiting | Ended | Iterating | Calling


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalArrived:
    """A wait is over because its signal came, with this payload."""

    payload: JSON
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """A wait is over because its moment has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationEnded:
    """The step is asked whether to go on: iteration `index` ended with `result`; `more` elements are left (None: nobody
    knows). `item` is what it was about."""

    index: int
    item: JSON
    result: JSON
    more: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopEnded:
    """Every iteration is over, or enough of them; results in the order of the iterations."""

    results: Sequence[JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyFailed:
    """An iteration failed and nothing bears it; the others are cancelled. `path` is the step that failed."""

    index: int
    error: JSONObject
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """The execution that this step began is over; `status` is COMPLETED, FAILED or CANCELLED."""

    execution: str
    status: str
    output: JSON = None
    error: JSONObject | None = None


Cause = SignalArrived | TimerDue | IterationEnded | LoopEnded | BodyFailed | ChildEnded
