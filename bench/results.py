"""Changes when what a measure gets or gives changes."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.stack import Stack


class Limit(StrEnum):
    """What the machine can do without Weir; the raw figures that others are held against. All are per second."""

    FLUSHES = "disk flushes of 8 KiB"
    COMMITS = "durable commits, one after the other"
    ROWS = "durable log rows, 1,000 a commit"
    PUBLISHES = "Redis publishes, 500 a pipeline"
    TASKS = "asyncio tasks, one after the other"
    LOOPS = "rounds of a Python loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure. `reference`, in the same unit, is the value of what it is held `versus`; `ratio` is value over it."""

    name: str
    value: float
    unit: str
    versus: str | None = None
    reference: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a measure has: the servers, how many seconds a figure may take, the raw limits, and who hears of progress.

    `limits` is empty for the measure that finds them out.
    """

    stack: Stack
    seconds: float
    say: Callable[[str], None]
    limits: Mapping[Limit, float] = field(default_factory=dict[Limit, float])

    def against(self, name: str, value: float, unit: str, limit: Limit) -> Result:
        """A figure per second beside a raw limit."""
        return Result(name=name, value=value, unit=unit, versus=limit.value, reference=self.limits[limit])


Measure = Callable[[Bench], Awaitable[Sequence[Result]]]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed; raises ValueError without any."""
    if not values:
        raise ValueError("there are no values")
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
