"""What the engine asks the executor to do next."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.json import JSON, JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Run this attempt, not before `not_before` when it is a retry."""

    path: str
    node: str
    attempt: int
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeStep:
    """The step's signal is here: resume it with this payload."""

    path: str
    node: str
    payload: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelStep:
    """Stop the step if it runs; its outcome is no longer wanted."""

    path: str


class Ending(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Nothing is left to run: write the terminal event once every running step has ended."""

    ending: Ending
    output: JSON = None
    error: JSONObject | None = None
    path: str | None = None


Command = RunStep | ResumeStep | CancelStep | Finish
