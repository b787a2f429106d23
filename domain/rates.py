"""Rates: how much may be asked within a window that moves on, and what a caller has left of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.errors import ErrorCode, QuotaExceeded


class Rate(StrEnum):
    """Whose requests are counted together; COST counts what GraphQL operations cost, of a tenant."""

    KEY = "KEY"
    USER = "USER"
    ROUTE = "ROUTE"
    TENANT = "TENANT"
    COST = "COST"
    ADDRESS = "ADDRESS"

    @property
    def policy(self) -> str:
        """Its name in headers and `extensions`."""
        return self.value.lower()

    @property
    def setting(self) -> str:
        """Its name among what is set for a tenant."""
        return f"RATE_{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`maximum` within any `window` seconds."""

    rate: Rate
    maximum: int
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`amount` is to be taken of what `subject` has of the allowance; subjects are told apart per rate."""

    allowance: Allowance
    subject: str
    amount: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is left, and in how many seconds there is more."""

    allowance: Allowance
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """`standings` in the order asked; with `refused`, that is the last of them and nothing after it was taken."""

    standings: Sequence[Standing]
    refused: Standing | None = None


class RateLimiter(Protocol):
    @property
    def shared(self) -> bool:
        """Whether all processes count together; False while each one limits by itself."""
        ...

    async def take(self, requests: Sequence[Request]) -> Taken:
        """One after the other, until one is refused."""
        ...


class Meter(Protocol):
    """Of one request, or of one WebSocket and its operations."""

    async def charge(self, cost: int) -> Sequence[Standing]:
        """Count a GraphQL operation of this cost before it runs. Raises RateLimited."""
        ...


class RateLimited(QuotaExceeded):
    """Too much was asked in a short time; `retry_after` says when there is room again."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, standing: Standing) -> None:
        allowance = standing.allowance
        counted = "cost" if allowance.rate is Rate.COST else "requests"
        super().__init__(
            f"At most {allowance.maximum:,} {counted} in {allowance.window} s are allowed"
            f" (policy {allowance.rate.policy})",
            retry_after=standing.reset,
            remedy="Wait as long as Retry-After says, and ask less often.",
        )
        self.standing = standing
