"""When a cron schedule is due, in local time, right across changes of the clock.

As Debian's cron does it: a schedule with fixed hours is due once where the clock is set back and just after the gap
where it is set forward; one that runs every hour follows real time through both.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from domain.errors import Invalid

MAX_COUNT = 100
MAX_LENGTH = 200
MIN_YEAR, MAX_YEAR = 1900, 9000
_SHIFT = timedelta(hours=3)
"""More than any clock is set back or forward at once."""


def zone_of(name: str) -> ZoneInfo:
    """Raises Invalid unless the IANA database has a zone of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f"There is no time zone {name[:60]!r}", path=("timeZone",), remedy="Use an IANA name: Europe/Berlin."
        ) from None


def check_cron(expression: str) -> str:
    """The expression with single spaces; raises Invalid unless it has five fields that make sense."""
    fields = expression[: MAX_LENGTH + 1].split()
    cron = " ".join(fields)
    if len(cron) > MAX_LENGTH or len(fields) != 5 or not croniter.is_valid(cron):
        raise Invalid(
            f"{expression[:60]!r} is no cron expression",
            path=("cron",),
            remedy="Give minute, hour, day of month, month, day of week: 0 9 * * 1-5.",
        )
    return cron


def upcoming(expression: str, time_zone: str, after: datetime, count: int) -> list[datetime]:
    """The next `count` moments later than `after`, in that zone. Raises Invalid; fewer come when no more exist."""
    if not 0 <= count <= MAX_COUNT:
        raise Invalid(f"count is {count}; it is at least 0 and at most {MAX_COUNT}", path=("count",))
    zone, cron = zone_of(time_zone), check_cron(expression)
    if not MIN_YEAR <= after.year < MAX_YEAR:
        raise Invalid(f"from is a moment of the years {MIN_YEAR} to {MAX_YEAR - 1}", path=("from",))
    found: list[datetime] = []
    if count == 0:
        return found
    for moment in _in_order(cron, zone, after):
        if moment > after and (not found or moment > found[-1].astimezone(UTC)):
            found.append(moment.astimezone(zone))
        if len(found) == count:
            break
    return found


def _in_order(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Moments in UTC, from somewhat before `after` on."""
    hourly = cron.split()[1].startswith("*")
    start = after.astimezone(zone).replace(tzinfo=None) - _SHIFT
    waiting: list[datetime] = []
    for local in _local_times(cron, start):
        for moment in _moments(local, zone, hourly):
            heappush(waiting, moment)
        while waiting and waiting[0] < local.replace(tzinfo=zone).astimezone(UTC) - _SHIFT:
            yield heappop(waiting)
    while waiting:
        yield heappop(waiting)


def _local_times(cron: str, start: datetime) -> Iterator[datetime]:
    times = croniter(cron, start)
    try:
        while True:
            yield times.get_next(datetime)
    except (CroniterError, OverflowError):  # such as 30 February: never again
        return


def _moments(local: datetime, zone: ZoneInfo, hourly: bool) -> Iterator[datetime]:
    first = local.replace(tzinfo=zone, fold=0)
    moment = first.astimezone(UTC)
    exists = moment.astimezone(zone).replace(tzinfo=None, fold=0) == local
    if exists or not hourly:
        yield moment
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if exists and hourly and second != moment:
        yield second
