"""How a workflow's executions have gone: how many, how well, how fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from domain.engine.ports import ExecutionStatus
from domain.ids import WorkflowId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StatisticsPeriod(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


_SPANS = {
    StatisticsPeriod.HOUR: (timedelta(hours=1), timedelta(minutes=1)),
    StatisticsPeriod.DAY: (timedelta(days=1), timedelta(hours=1)),
    StatisticsPeriod.WEEK: (timedelta(days=7), timedelta(hours=6)),
    StatisticsPeriod.MONTH: (timedelta(days=30), timedelta(days=1)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `since`, included, to `until`, not included: a whole number of buckets of `width`."""

    since: datetime
    until: datetime
    width: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Milliseconds from start to end, of those that are over; None when none is."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Those that were begun in the bucket from `at`, and how many of them have ended how."""

    at: datetime
    started: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a store counts in a window; statuses and buckets without any are left out."""

    counts: Mapping[ExecutionStatus, int]
    durations: Durations
    buckets: Sequence[Bucket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Of the executions created in the window, drafts and tests left out; every bucket is there, oldest first."""

    window: Window
    counts: Mapping[ExecutionStatus, int]
    durations: Durations
    buckets: Sequence[Bucket]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def success_rate(self) -> float | None:
        """Completed of completed and failed ones, 0 to 1; None when there are neither."""
        completed = self.counts[ExecutionStatus.COMPLETED]
        over = completed + self.counts[ExecutionStatus.FAILED]
        return completed / over if over else None


class StatisticsReader(Protocol):
    """Born with a tenant; another tenant's executions are not counted."""

    async def tallies(self, ids: Sequence[WorkflowId], window: Window) -> Mapping[WorkflowId, Tally]:
        """Of each workflow that has executions in the window, all in one go."""
        ...


def window_of(period: StatisticsPeriod, now: datetime) -> Window:
    """The last hour in minutes, day in hours, week in quarters of days, 30 days in days; the last one is under way."""
    span, width = _SPANS[period]
    until = now - (now - _EPOCH) % width + width
    return Window(since=until - span, until=until, width=width)


def statistics(window: Window, tally: Tally | None) -> Statistics:
    """The tally with its zeros."""
    tally = tally or Tally(counts={}, durations=Durations(), buckets=())
    known = {bucket.at: bucket for bucket in tally.buckets}
    number = (window.until - window.since) // window.width
    moments = [window.since + window.width * index for index in range(number)]
    return Statistics(
        window=window,
        counts={status: tally.counts.get(status, 0) for status in ExecutionStatus},
        durations=tally.durations,
        buckets=[known.get(at, Bucket(at=at)) for at in moments],
    )
