"""The `date` functions: moments in time and their calendar, in any time zone."""

from calendar import monthrange
from typing import Annotated, Final, TypeAlias

from domain.expressions.errors import OutOfRange
from domain.expressions.functions import moments, patterns
from domain.expressions.functions.moments import DAY, Moment, at, fields, placed, wall_of
from domain.expressions.functions.signatures import Choice, Date, InZone, Text, Whole, function
from domain.expressions.functions.zones import UTC, Fixed, Zone
from domain.json import JSON

_UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
UNITS: Final = (*_UNITS, *(f"{unit}s" for unit in _UNITS))
Unit: TypeAlias = Annotated[str, Choice(UNITS)]
_ELAPSED: Final = {"millisecond": 1, "second": 1_000, "minute": 60_000, "hour": 3_600_000}
_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


@function(
    "date.parse",
    "Reads a date: ISO 8601, or by a pattern as in `date.format`. A text without an offset is in `zone`, else in UTC.",
    'date.parse("24.12.2026 18:00", "dd.MM.yyyy HH:mm", "Europe/Berlin")',
    "2026-12-24T18:00:00+01:00",
)
def parse(value: Text, pattern: Text | None = None, zone: InZone | None = None) -> str:
    if pattern is not None:
        return patterns.read_by(value, pattern, zone or UTC).text()
    try:
        return moments.read(value, zone or UTC).text()
    except ValueError:
        raise OutOfRange("the text is no ISO 8601 date") from None


@function("date.isValid", "Whether the text is an ISO 8601 date.", 'date.isValid("2026-02-30")', False)
def is_valid(value: Text) -> bool:
    try:
        moments.read(value, UTC)
    except (ValueError, OutOfRange):
        return False
    return True


@function(
    "date.format",
    "Writes a date by a pattern of yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h a mm m ss s SSS XXX (the offset); "
    "other letters stand in single quotes.",
    'date.format("2026-12-24T17:00:00Z", "EEE d MMMM yyyy, HH:mm \'o\'\'clock\'", "Europe/Berlin")',
    "Thu 24 December 2026, 18:00 o'clock",
)
def write(value: Date, pattern: Text, zone: InZone | None = None) -> str:
    return patterns.write(_local(value, zone), pattern)


@function(
    "date.toZone",
    "The same moment as clocks in another zone show it.",
    'date.toZone("2026-07-01T12:00:00Z", "America/New_York")',
    "2026-07-01T08:00:00-04:00",
)
def to_zone(value: Date, zone: InZone) -> str:
    return at(value.ms, zone).text()


@function(
    "date.add",
    "A date so much later, or earlier with a negative amount. Days and longer units go by the calendar of the zone; "
    "a day the month lacks is its last.",
    'date.add("2026-01-31T09:00:00Z", 1, "month")',
    "2026-02-28T09:00:00Z",
)
def add(value: Date, amount: Whole, unit: Unit, zone: InZone | None = None) -> str:
    where = zone or Fixed(value.offset)
    return _later(at(value.ms, where), amount, unit.removesuffix("s"), where).text()


@function(
    "date.diff",
    "How much later `to` is than `from`: hours and shorter units with their fraction, days and longer ones as whole "
    "units of the calendar.",
    'date.diff("2026-01-31", "2026-03-01", "months")',
    1,
)
def diff(from_: Date, to: Date, unit: Unit, zone: InZone | None = None) -> float:
    name, where = unit.removesuffix("s"), zone or Fixed(from_.offset)
    if name in _ELAPSED:
        return (to.ms - from_.ms) / _ELAPSED[name]
    begin, end = at(from_.ms, where), at(to.ms, where)
    if name in _DAYS:
        return int((end.wall - begin.wall) / DAY / _DAYS[name])
    months = 12 * (fields(end.wall)[0] - fields(begin.wall)[0]) + fields(end.wall)[1] - fields(begin.wall)[1]
    passed = months_later(begin.wall, months)
    if months > 0 and passed > end.wall:
        months -= 1
    elif months < 0 and passed < end.wall:
        months += 1
    return int(months / _MONTHS[name])


@function(
    "date.startOf",
    "The beginning of the unit around a date, in the zone; weeks begin on Monday.",
    'date.startOf("2026-11-21T23:30:00Z", "day", "Europe/Berlin")',
    "2026-11-22T00:00:00+01:00",
)
def start_of(value: Date, unit: Unit, zone: InZone | None = None) -> str:
    where = zone or Fixed(value.offset)
    return _start(at(value.ms, where), unit.removesuffix("s"), where).text()


@function(
    "date.endOf",
    "The last millisecond of the unit around a date, in the zone.",
    'date.endOf("2026-02-10T12:00:00Z", "month")',
    "2026-02-28T23:59:59.999Z",
)
def end_of(value: Date, unit: Unit, zone: InZone | None = None) -> str:
    where, name = zone or Fixed(value.offset), unit.removesuffix("s")
    start = _start(at(value.ms, where), name, where)
    return at(_later(start, 1, name, where).ms - 1, where).text()


@function(
    "date.weekday",
    "The day of the week in the zone: 1 is Monday, 7 Sunday.",
    'date.weekday("2026-11-22T23:30:00Z", "Europe/Berlin")',
    1,
)
def weekday(value: Date, zone: InZone | None = None) -> int:
    return patterns.weekday_of(_local(value, zone))


@function(
    "date.parts",
    "What a calendar and a clock show: year, month, day, hour, minute, second, millisecond, weekday, and the offset in "
    "minutes.",
    'date.parts("2026-11-21T09:30:00+01:00").hour',
    9,
)
def parts(value: Date, zone: InZone | None = None) -> JSON:
    moment = _local(value, zone)
    year, month, day, hour, minute, second, milli = fields(moment.wall)
    return {
        "year": year, "month": month, "day": day, "hour": hour, "minute": minute, "second": second,
        "millisecond": milli, "weekday": patterns.weekday_of(moment), "offset": int(moment.offset / 60),
    }  # fmt: skip


@function(
    "date.timestamp", "Milliseconds since 1970.", 'date.timestamp("2026-11-21T09:00:00+01:00")', 1_795_248_000_000
)
def timestamp(value: Date) -> int:
    return value.ms


@function(
    "date.fromTimestamp",
    "The date so many milliseconds after the beginning of 1970.",
    'date.fromTimestamp(1795248000000, "Europe/Berlin")',
    "2026-11-21T09:00:00+01:00",
)
def from_timestamp(value: Whole, zone: InZone | None = None) -> str:
    return at(value, zone or UTC).text()


@function("date.isBefore", "Whether a date is earlier.", 'date.isBefore("2026-01-01", "2026-01-02")', True)
def is_before(value: Date, other: Date) -> bool:
    return value.ms < other.ms


@function(
    "date.isAfter",
    "Whether a date is later.",
    'date.isAfter("2026-01-01T00:00:00Z", "2026-01-01T00:30:00+01:00")',
    True,
)
def is_after(value: Date, other: Date) -> bool:
    return value.ms > other.ms


def _local(value: Moment, zone: Zone | None) -> Moment:
    return value if zone is None else at(value.ms, zone)


def _later(moment: Moment, amount: int, unit: str, zone: Zone) -> Moment:
    if unit in _ELAPSED:
        return at(moment.ms + amount * _ELAPSED[unit], zone)
    if unit in _DAYS:
        return placed(_inside(moment.wall + amount * _DAYS[unit] * DAY), zone)
    return placed(months_later(moment.wall, amount * _MONTHS[unit]), zone)


def _inside(wall: int) -> int:
    if moments.FIRST <= wall <= moments.LAST:
        return wall
    raise OutOfRange("the date is outside the years 1 to 9999")


def months_later(wall: int, months: int) -> int:
    """The same day of another month, or that month's last."""
    year, month, day, *time = fields(wall)
    years, at_month = divmod(month - 1 + months, 12)
    if not 1 <= year + years <= 9999:
        raise OutOfRange("the date is outside the years 1 to 9999")
    last = monthrange(year + years, at_month + 1)[1]
    return wall_of([year + years, at_month + 1, min(day, last), *time])


def _start(moment: Moment, unit: str, zone: Zone) -> Moment:
    if unit in _ELAPSED:  # clocks set back show an hour twice: this stays in the same one
        return at(moment.ms - moment.wall % _ELAPSED[unit], zone)
    year, month, _, *_ = fields(moment.wall)
    match unit:
        case "day":
            wall = moment.wall - moment.wall % DAY
        case "week":
            wall = moment.wall - moment.wall % DAY - (patterns.weekday_of(moment) - 1) * DAY
        case _:
            length = _MONTHS[unit]
            wall = wall_of([year, (month - 1) // length * length + 1, 1, 0, 0, 0, 0])
    return placed(_inside(wall), zone)
