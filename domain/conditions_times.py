"""The moments, durations, weekdays and business hours that conditions speak of, read from user values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import Invalid
from domain.expressions.errors import OutOfRange
from domain.expressions.functions.dates import months_later
from domain.expressions.functions.moments import DAY, FIRST, LAST, Moment, at, placed, read
from domain.expressions.functions.patterns import WEEKDAYS, weekday_of
from domain.expressions.functions.values import shown
from domain.expressions.functions.zones import UTC, Zone, zone_of
from domain.json import JSON, as_list, as_object, is_list

_DURATION = re.compile(
    r"P(?:([0-9]{1,6})Y)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?"
)
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_MONDAY_TO_FRIDAY: Final = frozenset(range(1, 6))
_SHOWN: Final = 60
_HOURS_KEYS: Final = ("days", "from", "to", "holidays")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Months and days go by the calendar, milliseconds by the clock."""

    months: int = 0
    days: int = 0
    ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessHours:
    """`begin` and `end` in minutes after midnight, the end excluded; past midnight when the end is not later.

    `days` are ISO weekdays, 1 for Monday; `holidays` are days without hours, as milliseconds since 1970.
    """

    days: frozenset[int]
    begin: int
    end: int
    holidays: frozenset[int]


def _told(value: JSON) -> str:
    return repr(value) if isinstance(value, str) and len(value) <= _SHOWN else shown(value)


def zone(value: JSON) -> Zone:
    """Raises Invalid."""
    try:
        return zone_of(value if isinstance(value, str) else "")
    except KeyError:
        remedy = "Name one such as Europe/Berlin, UTC or +02:00."
        raise Invalid(f"{_told(value)} is no time zone", remedy=remedy) from None


def moment(value: JSON, where: Zone) -> Moment:
    """ISO 8601 text, in `where` when it names no offset, or milliseconds since 1970. Raises Invalid."""
    try:
        if isinstance(value, str):
            return read(value, where)
        if isinstance(value, int) and not isinstance(value, bool) and FIRST <= value <= LAST:
            return at(value, where)
    except (ValueError, OutOfRange):
        pass
    raise Invalid(f"{_told(value)} is no date", remedy="Write ISO 8601, such as 2026-11-21 or 2026-11-21T09:00:00Z.")


def duration(value: JSON) -> Duration:
    """Seconds, or ISO 8601 text such as `P7D` or `PT90M`. Raises Invalid."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LAST / 1000:
        return Duration(ms=round(value * 1000))
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()) or found[0].endswith("T"):
        raise Invalid(f"{_told(value)} is no duration", remedy="Give seconds, or ISO 8601 such as P7D or PT90M.")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    clock = 1000 * (60 * (60 * hours + minutes) + seconds)
    return Duration(months=12 * years + months, days=7 * weeks + days, ms=clock)


def shifted(start: Moment, by: Duration, sign: int, where: Zone) -> int:
    """The moment so much later, or earlier when `sign` is -1, in milliseconds since 1970. Raises Invalid."""
    try:
        wall = months_later(at(start.ms, where).wall, sign * by.months) + sign * by.days * DAY
        if not FIRST <= wall <= LAST:
            raise OutOfRange("the date is outside the years 1 to 9999")
        calendar = placed(wall, where).ms if by.months or by.days else start.ms
        return calendar + sign * by.ms
    except OutOfRange as error:
        raise Invalid(str(error)) from None


def weekdays(value: JSON) -> frozenset[int]:
    """One day or a list: 1 for Monday to 7 for Sunday, or names, of which three letters are enough. Raises Invalid."""
    days = as_list(value) if is_list(value) else (value,)
    return frozenset(map(_weekday, days))


def _weekday(value: JSON) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 7:
        return value
    if isinstance(value, str) and len(value) >= 3:
        for number, name in enumerate(WEEKDAYS, 1):
            if name.lower().startswith(value.lower()):
                return number
    raise Invalid(f"{_told(value)} is no weekday", remedy="Give 1 (Monday) to 7, or names such as mon or Monday.")


def business_hours(value: JSON) -> BusinessHours:
    """`{days, from, to, holidays}`: Monday to Friday, all day and no holidays where nothing is said. Raises Invalid."""
    described = as_object(value)
    unknown = [key for key in described if key not in _HOURS_KEYS]
    if not described or unknown:
        what = f"unknown key {unknown[0][:80]!r}" if unknown else _told(value)
        remedy = 'Write such as {days: ["mon", "fri"], from: "09:00", to: "17:30"}.'
        raise Invalid(f"Business hours are an object of days, from, to and holidays: {what}", remedy=remedy)
    return BusinessHours(
        days=weekdays(described["days"]) if "days" in described else _MONDAY_TO_FRIDAY,
        begin=_minutes(described.get("from", "00:00")),
        end=_minutes(described.get("to", "24:00")),
        holidays=frozenset(moment(day, UTC).ms // DAY * DAY for day in _days(described.get("holidays", []))),
    )


def _days(value: JSON) -> Sequence[JSON]:
    if is_list(value):
        return as_list(value)
    raise Invalid(f"Holidays are a list of dates, not {_told(value)}")


def _minutes(value: JSON) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minutes <= 24 * 60:
        raise Invalid(f"{_told(value)} is no time of day", remedy="Write it as 09:00.")
    return minutes


def are_open(hours: BusinessHours, when: Moment, where: Zone) -> bool:
    """Whether the moment is inside the hours; those past midnight belong to the day on which they began."""
    local = at(when.ms, where)
    minute = local.wall % DAY // 60_000
    today, weekday = local.wall - local.wall % DAY, weekday_of(local)
    if hours.begin < hours.end:
        return hours.begin <= minute < hours.end and _works(hours, today, weekday)
    tonight = minute >= hours.begin and _works(hours, today, weekday)
    return tonight or (minute < hours.end and _works(hours, today - DAY, (weekday + 5) % 7 + 1))


def _works(hours: BusinessHours, day: int, weekday: int) -> bool:
    return weekday in hours.days and day not in hours.holidays
