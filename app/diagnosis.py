"""Changes when what a look at a machine can say changes."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was found, and how to mend it when it is not `OK`."""

    name: str
    found: str
    health: Health = Health.OK
    remedy: str | None = None


def problem(name: str, found: str, remedy: str | None) -> Diagnosis:
    return Diagnosis(name=name, found=found, health=Health.PROBLEM, remedy=remedy)


def warning(name: str, found: str, remedy: str) -> Diagnosis:
    return Diagnosis(name=name, found=found, health=Health.WARNING, remedy=remedy)
