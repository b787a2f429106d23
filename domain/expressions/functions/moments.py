"""Moments in time as text: read from ISO 8601, written, taken apart into what a calendar shows, and put together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.expressions.errors import OutOfRange
from domain.expressions.functions.zones import OFFSET, UTC, Fixed, Zone, offset_seconds
from domain.json import JSON

DAY: Final = 86_400_000
FIRST: Final = -62_135_596_800_000
LAST: Final = 253_402_300_799_999
"""The years 1 to 9999, in milliseconds since 1970."""
_EPOCH: Final = date(1970, 1, 1).toordinal()
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(Z|[+-][0-9:]{4,8})?)?"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """`ms` since 1970 in UTC, and the offset it is written in, in seconds east of UTC."""

    ms: int
    offset: int

    @property
    def wall(self) -> int:
        """What clocks show there, as milliseconds since 1970 in UTC."""
        return self.ms + 1000 * self.offset

    def text(self) -> str:
        """ISO 8601: `2026-03-29T03:30:00+02:00`, with milliseconds where there are any, `Z` for UTC."""
        year, month, day, hour, minute, second, milli = fields(self.wall)
        fraction = f".{milli:03}" if milli else ""
        return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset_text(self.offset)}"


def moment_of(value: JSON) -> Moment:
    """The moment of an ISO 8601 text, in UTC when it names no offset, or of milliseconds since 1970.

    Raises TypeError when the value is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and FIRST <= value <= LAST:
        return Moment(value, 0)
    if not isinstance(value, str):
        raise TypeError
    try:
        return read(value, UTC)
    except (ValueError, OutOfRange):
        raise TypeError from None


def read(text: str, zone: Zone) -> Moment:
    """The moment of an ISO 8601 text, in `zone` when it names no offset; digits beyond milliseconds are dropped.

    Raises ValueError when it is none, OutOfRange beyond the years 1 to 9999.
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups(default="")
    milli = f"{fraction}00"[:3] if fraction else "0"
    wall = wall_of([int(each or 0) for each in (year, month, day, hour, minute, second, milli)])
    return placed(wall, Fixed(read_offset(offset)) if offset else zone)


def read_offset(text: str) -> int:
    """Seconds east of UTC. Raises ValueError."""
    if text == "Z":
        return 0
    found = OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return offset_seconds(found)


def wall_of(parts: Sequence[int]) -> int:
    """Year, month, day, hour, minute, second and millisecond as milliseconds since 1970. Raises ValueError."""
    year, month, day, hour, minute, second, milli = parts
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(parts)
    return DAY * (date(year, month, day).toordinal() - _EPOCH) + 1000 * (60 * (60 * hour + minute) + second) + milli


def fields(wall: int) -> tuple[int, int, int, int, int, int, int]:
    """The opposite of `wall_of`."""
    days, rest = divmod(wall, DAY)
    day = date.fromordinal(days + _EPOCH)
    rest, milli = divmod(rest, 1000)
    rest, second = divmod(rest, 60)
    hour, minute = divmod(rest, 60)
    return day.year, day.month, day.day, hour, minute, second, milli


def offset_text(offset: int) -> str:
    if offset == 0:
        return "Z"
    minutes, seconds = divmod(abs(offset), 60)
    odd = f":{seconds:02}" if seconds else ""
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}{odd}"


def at(ms: int, zone: Zone) -> Moment:
    """This moment as clocks in the zone show it. Raises OutOfRange beyond the years 1 to 9999."""
    if not FIRST <= ms <= LAST:
        raise OutOfRange("the date is outside the years 1 to 9999")
    moment = Moment(ms, zone.offset(ms))
    if not FIRST <= moment.wall <= LAST:
        raise OutOfRange("the date is outside the years 1 to 9999")
    return moment


def placed(wall: int, zone: Zone) -> Moment:
    """When clocks in the zone show this: the first time of two, and what a skipped time would be without the skip."""
    instants = sorted(wall - 1000 * zone.offset(near) for near in (wall - DAY, wall + DAY))
    ms = next((each for each in instants if each + 1000 * zone.offset(each) == wall), None)
    return at(wall - 1000 * zone.offset(instants[0]) if ms is None else ms, zone)
