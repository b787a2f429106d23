"""Quotas: how much of something a tenant may have, and how much of it there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from domain.errors import Invalid, QuotaExceeded
from domain.ids import TenantId

MAX_QUOTA = 2**62


class Quota(StrEnum):
    """What is counted. Days and months are those of UTC; executions that another one began are not counted."""

    EXECUTIONS_PER_DAY = "EXECUTIONS_PER_DAY"
    EXECUTIONS_PER_MONTH = "EXECUTIONS_PER_MONTH"
    EXECUTIONS_UNDER_WAY = "EXECUTIONS_UNDER_WAY"
    FILE_BYTES = "FILE_BYTES"
    STREAMS = "STREAMS"
    CONNECTIONS = "CONNECTIONS"
    WORKFLOWS = "WORKFLOWS"


_WHAT: Mapping[Quota, str] = {
    Quota.EXECUTIONS_PER_DAY: "begin {:,} executions a day",
    Quota.EXECUTIONS_PER_MONTH: "begin {:,} executions a month",
    Quota.EXECUTIONS_UNDER_WAY: "have {:,} executions under way",
    Quota.FILE_BYTES: "keep files of {:,} bytes together",
    Quota.STREAMS: "have {:,} streams",
    Quota.CONNECTIONS: "have {:,} connections",
    Quota.WORKFLOWS: "have {:,} workflows",
}
_MEND: Mapping[Quota, str] = {
    Quota.EXECUTIONS_PER_DAY: "Wait for the next day (UTC)",
    Quota.EXECUTIONS_PER_MONTH: "Wait for the next month (UTC)",
    Quota.EXECUTIONS_UNDER_WAY: "Wait until some are over, or cancel some",
    Quota.FILE_BYTES: "Delete files",
    Quota.STREAMS: "Use a stream there is",
    Quota.CONNECTIONS: "Delete connections",
    Quota.WORKFLOWS: "Delete workflows",
}


class QuotaReached(QuotaExceeded):
    """The tenant has as much as it may; nothing was made. `retry_after` in seconds for quotas of a period."""

    def __init__(self, quota: Quota, *, limit: int, used: int, retry_after: float | None = None) -> None:
        super().__init__(
            f"The tenant may {_WHAT[quota].format(limit)} ({quota.value}); it uses {used:,}",
            retry_after=retry_after,
            remedy=f"{_MEND[quota]}, or have the operator raise the quota {quota.value}.",
        )
        self.quota = quota
        self.limit = limit
        self.used = used


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaState:
    """`limit` None: any number. `resets_at`: when the count of a period begins anew."""

    quota: Quota
    limit: int | None
    used: int
    resets_at: datetime | None = None


class QuotaReader(Protocol):
    """Born with a tenant."""

    async def states(self, now: datetime) -> Sequence[QuotaState]:
        """Every quota, in the order of `Quota`."""
        ...


class QuotaStore(Protocol):
    """What was set for single tenants, by the name of a quota or a rate: of the installation, nobody sets their own."""

    async def of(self, tenant_id: TenantId) -> Mapping[str, int | None]:
        """None: any number. A name that is not there has the default."""
        ...

    async def put(self, tenant_id: TenantId, name: str, maximum: int | None) -> None: ...

    async def reset(self, tenant_id: TenantId, name: str) -> None:
        """Back to the default."""
        ...


def next_period(quota: Quota, now: datetime) -> datetime | None:
    """When the day or month (UTC) after `now` begins; None for a quota without a period."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match quota:
        case Quota.EXECUTIONS_PER_DAY:
            return day + timedelta(days=1)
        case Quota.EXECUTIONS_PER_MONTH:
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None


def checked_maximum(name: str, maximum: int) -> int:
    """The maximum; raises Invalid when it is out of range."""
    if not 0 <= maximum <= MAX_QUOTA:
        raise Invalid(f"{name} is 0 to {MAX_QUOTA}, not {maximum}", path=(name,))
    return maximum
