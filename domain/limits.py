"""Limits on how much runs at once, and where an execution that waits for one stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Invalid
from domain.ids import ExecutionId, TenantId

MAX_WEIGHT = 100
MAX_CONCURRENCY = 2**31 - 1


class QueueReason(StrEnum):
    """What a PENDING execution waits for: its time, a limit, or a worker with room."""

    START_TIME = "START_TIME"
    WORKFLOW_CONCURRENCY = "WORKFLOW_CONCURRENCY"
    WORKFLOW_RATE = "WORKFLOW_RATE"
    TENANT_CONCURRENCY = "TENANT_CONCURRENCY"
    CAPACITY = "CAPACITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """`position` counts from 1, by priority and then by age, among those that wait for the same; it is 1 for
    START_TIME, which sets `starts_at`. `limit` is that of the reason, if it is one."""

    position: int
    reason: QueueReason
    limit: int | None = None
    starts_at: datetime | None = None


class Queues(Protocol):
    """Born with a tenant."""

    async def places(self, ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, QueuePlace]:
        """Of those that have not begun and could, as of now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits:
    """`max_concurrent`: executions under way at once, None: any number. `weight`: how many times the share of a tenant
    of weight 1 it gets of busy workers."""

    max_concurrent: int | None = None
    weight: int = 1


class TenantLimitStore(Protocol):
    """Of the installation, not of a tenant: nobody sets their own."""

    async def get(self, tenant_id: TenantId) -> TenantLimits | None:
        """None: the default limit and the weight 1."""
        ...

    async def put(self, tenant_id: TenantId, limits: TenantLimits) -> None:
        """Effective within a second, also for what waits already."""
        ...


def checked_limits(limits: TenantLimits) -> TenantLimits:
    """The limits; raises Invalid for numbers out of range."""
    if not 1 <= limits.weight <= MAX_WEIGHT:
        raise Invalid(f"A weight is 1 to {MAX_WEIGHT}, not {limits.weight}", path=("weight",))
    if limits.max_concurrent is not None and not 1 <= limits.max_concurrent <= MAX_CONCURRENCY:
        raise Invalid(
            f"A tenant's concurrency is at least 1, not {limits.max_concurrent}",
            path=("maxConcurrent",),
            remedy="Leave it out for no limit; suspend a tenant that is to run nothing.",
        )
    return limits
