"""What a sandbox call may use, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from domain.json import JSON

MEBIBYTE = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may use: `seconds` of processor time for all its sources together; `memory` and `output`
    in bytes for each of them. The most that can be given are 60 seconds, 256 MiB and 16 MiB.
    """

    seconds: float = 1.0
    memory: int = 64 * MEBIBYTE
    output: int = MEBIBYTE

    def __post_init__(self) -> None:
        if not (0 < self.seconds <= 60 and 0 < self.memory <= MOST_MEMORY and 0 < self.output <= 16 * MEBIBYTE):
            raise ValueError(f"{self} asks for more than 60 seconds, 256 MiB of memory and 16 MiB of output")


MOST_MEMORY = 256 * MEBIBYTE


class FailureKind(StrEnum):
    ERROR = "error"
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
    """Why the source gave no value: the error it threw, or the limit it met."""

    message: str
    kind: FailureKind


Evaluated: TypeAlias = Value | Failed


class SandboxError(Exception):
    """The sandbox itself does not work here: its process does not start, or it is closed."""
