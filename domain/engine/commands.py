"""What the engine asks the executor to do next."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from domain.engine.outcomes import Cause
from domain.json import JSON, JSONObject


class RunStep(Struct, frozen=True, kw_only=True):
    """Run this attempt, not before `not_before` when it is a retry."""

    path: str
    node: str
    attempt: int
    not_before: datetime | None = None


class ResumeStep(Struct, frozen=True, kw_only=True):
    """What the step waits for is here: resume it."""

    path: str
    node: str
    cause: Cause


class CancelStep(Struct, frozen=True, kw_only=True):
    """Stop the step if it runs; its outcome is no longer wanted.

    `child`: the execution it waits for is to end too. `signals`: what it waited for.
    """

    path: str
    child: str | None = None
    signals: tuple[str, ...] = ()


class Ending(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Finish(Struct, frozen=True, kw_only=True):
    """Nothing is left to run: write the terminal event once every running step has ended."""

    ending: Ending
    output: JSON = None
    error: JSONObject | None = None
    path: str | None = None


Command = RunStep | ResumeStep | CancelStep | Finish
