"""What a node's run may come to, and what wakes one that waits: values, matched exhaustively by the executor."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from domain.graphs import OUT
from domain.json import JSON, JSONObject
from domain.starts import NewExecution


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogLine(Struct, frozen=True, kw_only=True):
    """A line of the execution's log, kept in the payload of the outcome that wrote it."""

    level: LogLevel
    message: str
    data: JSON = None


class Completed(Struct, frozen=True, kw_only=True):
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


class Failed(Struct, frozen=True, kw_only=True):
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


class Waiting(Struct, frozen=True, kw_only=True):
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


class Ended(Struct, frozen=True, kw_only=True):
    """The execution fails here and now, whatever the node's `onError` says (the `fail` node)."""

    message: str
    code: str = "FAILED_BY_WORKFLOW"
    details: JSONObject = field(default_factory=dict[str, JSON])


class ErrorHandling(StrEnum):
    """What a failed branch or iteration means for the others: end them, do without it, or keep its error too."""

    STOP = "stop"
    CONTINUE = "continue"
    COLLECT = "collect"


class Iterating(Struct, frozen=True, kw_only=True):
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


class Calling(Struct, frozen=True, kw_only=True):
    """Another execution is to begin, in the transaction that records it; with `wait` its end resumes the step."""

    child: NewExecution
    workflow: str
    wait: bool = True


Outcome = Completed | Failed | Waiting | Ended | Iterating | Calling


class SignalArrived(Struct, frozen=True, kw_only=True):
    """A wait is over because its signal came, with this payload."""

    payload: JSON
    name: str = ""


class TimerDue(Struct, frozen=True, kw_only=True):
    """A wait is over because its moment has come."""


class IterationEnded(Struct, frozen=True, kw_only=True):
    """The step is asked whether to go on: iteration `index` ended with `result`; `more` elements are left (None: nobody
    knows). `item` is what it was about."""

    index: int
    item: JSON
    result: JSON
    more: int | None


class LoopEnded(Struct, frozen=True, kw_only=True):
    """Every iteration is over, or enough of them; results in the order of the iterations."""

    results: Sequence[JSON]


class BodyFailed(Struct, frozen=True, kw_only=True):
    """An iteration failed and nothing bears it; the others are cancelled. `path` is the step that failed."""

    index: int
    error: JSONObject
    path: str | None


class ChildEnded(Struct, frozen=True, kw_only=True):
    """The execution that this step began is over; `status` is COMPLETED, FAILED or CANCELLED."""

    execution: str
    status: str
    output: JSON = None
    error: JSONObject | None = None


Cause = SignalArrived | TimerDue | IterationEnded | LoopEnded | BodyFailed | ChildEnded
