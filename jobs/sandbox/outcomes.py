"""What a sandbox call may use, and what it answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from domain.json import JSON, JSONObject

MEBIBYTE = 1_048_576
MOST_MEMORY = 256 * MEBIBYTE
MOST_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may use: `seconds` of processor time for all its sources together; `memory` and `output`
    in bytes for each of them. The most that can be given are 60 seconds, 256 MiB and 16 MiB.
    """

    seconds: float = 1.0
    memory: int = 64 * MEBIBYTE
    output: int = MEBIBYTE

    def __post_init__(self) -> None:
        fits = 0 < self.seconds <= MOST_SECONDS and 0 < self.memory <= MOST_MEMORY and 0 < self.output <= 16 * MEBIBYTE
        if not fits:
            raise ValueError(f"{self} asks for more than 60 seconds, 256 MiB of memory and 16 MiB of output")


class FailureKind(StrEnum):
    ERROR = "error"
    INVALID = "invalid"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What the source gave, as JSON."""

    value: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why the source gave no value: the error it threw, or the limit it met. Only scripts are told to be invalid."""

    message: str
    kind: FailureKind


Evaluated: TypeAlias = Value | Failed


class Language(StrEnum):
    JAVASCRIPT = "javascript"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A program of a user's: the body of an async function, or a Python module that returns.

    `scope` holds its names; `limits.seconds` bound its processor time, and its time on the clock, requests included.
    `lines` is how many it may write to the log; `modules` names those it may load, None for all there are.
    """

    language: Language
    source: str
    scope: JSONObject
    limits: Limits
    lines: int = 1_000
    modules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a script wrote to the log; `level` is DEBUG, INFO, WARNING or ERROR."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a script took, as the kernel counts it; None where it does not tell. `memory` is the peak, in bytes."""

    wall_ms: float
    cpu_ms: float | None
    memory: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What came of a script, what it wrote, and what it took."""

    outcome: Evaluated
    lines: tuple[Line, ...] = ()
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """A request a script asks for, the `number`th; unchecked but for its types. `json`: its body was no text."""

    number: int
    url: str
    method: str
    headers: Mapping[str, str]
    body: str | None
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReply:
    url: str
    status: int
    headers: Mapping[str, str]
    body: str


class FetchFailed(Exception):
    """There is no reply; the message says why, and what to do about it. The script sees it as an error of its own."""


Fetch: TypeAlias = Callable[[FetchRequest], Awaitable[FetchReply]]
"""Carries out a script's request. Raises FetchFailed."""


class SandboxError(Exception):
    """The sandbox itself does not work here: its process does not start, or it is closed."""


class ProcessCrashed(Exception):
    """A sandbox process ended, or answered what it never should, instead of answering a call."""


class ProcessOverran(Exception):
    """A sandbox process was still busy when the call's hard deadline came."""
