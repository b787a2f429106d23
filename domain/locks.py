"""Named locks and semaphores that steps of different executions share, and the port that keeps them.

A lock exists as long as somebody holds it or waits for it. With one seat it is a mutex, with more a semaphore. Who
comes first is served first. A holder is a step of an execution: when that is over, so is its hold, whatever became of
the worker.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from domain.errors import Invalid
from domain.ids import ExecutionId
from domain.storable import checked_text

MAX_NAME = 200
MAX_SEATS = 10_000
SIGNAL = "lock:"
"""What the signals that tell a step of its lock begin with; nobody else may send them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """The step at `path` wants one of the `seats` of the tenant's lock `name`."""

    execution_id: ExecutionId
    path: str
    name: str
    seats: int = 1


@dataclass(frozen=True, slots=True)
class Granted:
    """The step has the lock until it is released."""


@dataclass(frozen=True, slots=True)
class Queued:
    """`position` counts from 1: the next to be served. The execution gets the signal `signal_name(path)`."""

    position: int


Answer: TypeAlias = Granted | Queued


class LockDesk(Protocol):
    """One tenant's locks, as a step sees them. Raises ConnectionError when the database does not answer."""

    async def acquire(self, request: LockRequest) -> Answer:
        """Asked again for the same step and name it is the same request, in its old place."""
        ...

    async def release(self, execution_id: ExecutionId, path: str) -> None:
        """Give up whatever the step holds or waits for; the next in line are told. Repeating it does nothing."""
        ...


def signal_name(path: str) -> str:
    """The signal that ends the wait of the step at `path`."""
    return SIGNAL + path


def check_request(name: str, seats: int) -> None:
    """Raises Invalid for a name or a number of seats that no lock can have."""
    checked_text(name, "name", least=1, most=MAX_NAME)
    if not 1 <= seats <= MAX_SEATS:
        raise Invalid(
            f"A lock has 1 to {MAX_SEATS:,} seats, not {seats}",
            path=("limit",),
            remedy="1 lets one step in at a time; a higher limit makes it a semaphore.",
        )
