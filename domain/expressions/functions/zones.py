"""Time zones: their offsets from UTC at any moment, and the table of all of them that the sandbox is given."""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import TZPATH, ZoneInfo

NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
"""Names of the tz database; files beside the zones begin with a small letter."""
OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])(?::?([0-5][0-9]))?")
_FIRST, _LAST = -62_135_424_000, 253_402_128_000
"""Two days inside the years 1 to 9999, in seconds: beyond them datetime knows no offset."""


class Zone(Protocol):
    def offset(self, ms: int) -> int:
        """Seconds east of UTC at this moment, in milliseconds since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    seconds: int

    def offset(self, ms: int) -> int:
        return self.seconds


UTC: Final = Fixed(0)


@dataclass(frozen=True, slots=True)
class Named:
    info: ZoneInfo

    def offset(self, ms: int) -> int:
        moment = datetime.fromtimestamp(min(max(ms // 1000, _FIRST), _LAST), self.info)
        difference = moment.utcoffset()
        return int(difference.total_seconds()) if difference is not None else 0


@lru_cache(maxsize=1024)
def zone_of(name: str) -> Zone:
    """An IANA name, `UTC`, `Z` or an offset such as `+02:00`. Raises KeyError when it is none."""
    if name in ("UTC", "Z"):
        return UTC
    if offset := OFFSET.fullmatch(name):
        return Fixed(offset_seconds(offset))
    if len(name) > 64 or not NAME.fullmatch(name):
        raise KeyError(name)
    try:
        return Named(ZoneInfo(name))
    except (OSError, ValueError):
        raise KeyError(name) from None


def offset_seconds(found: re.Match[str]) -> int:
    """What a match of OFFSET means."""
    sign, hours, minutes, seconds = found.groups(default="0")
    return (-1 if sign == "-" else 1) * (int(hours) * 3600 + int(minutes) * 60 + int(seconds))


@lru_cache(maxsize=1)
def zone_table() -> str:
    """Every zone this machine knows, for the sandbox, which has no files: about 150 KB, made in about 0.1 s.

    One line each: ` name name |first offset|standard,daylight,month,week,day,second,month,week,day,second|moment
    offset moment offset …`. Moments and offsets are seconds in base 36, each moment as the distance to the one before;
    the second field is the yearly rule after the last of them.
    """
    names: dict[bytes, list[str]] = {}
    for name, data in _files():
        names.setdefault(data, []).append(name)
    return "".join(f"\n {' '.join(alike)} |{_packed(data)}" for data, alike in names.items()) + "\n"


def _files() -> Iterator[tuple[str, bytes]]:
    """The zones' files, found as zoneinfo finds them: the first of its directories that has one, else the package."""
    seen: set[str] = set()
    for root in [*map(Path, TZPATH), *_packaged()]:
        for folder, _, files in os.walk(root):
            for file in sorted(files):
                path = Path(folder, file)
                name = path.relative_to(root).as_posix()
                if name in seen or not NAME.fullmatch(name):
                    continue
                data = path.read_bytes()
                if data.startswith(b"TZif"):
                    seen.add(name)
                    yield name, data


def _packaged() -> list[Path]:
    try:
        return [Path(str(resources.files("tzdata.zoneinfo")))]
    except ModuleNotFoundError:
        return []


def _packed(data: bytes) -> str:
    """Reads a TZif file (RFC 8536), whose second part has 64-bit moments."""
    counts = struct.unpack(">6l", data[20:44])
    at = 44 + _size(counts, 4) if data[4:5] != b"\0" else 0
    width, head = (8, data[at + 20 : at + 44]) if at else (4, data[20:44])
    counts = struct.unpack(">6l", head)
    _, _, _, moments, types, _ = counts
    body = (at or 0) + 44
    times = struct.unpack(f">{moments}{'q' if width == 8 else 'l'}", data[body : body + moments * width])
    indices = data[body + moments * width : body + moments * (width + 1)]
    start = body + moments * (width + 1)
    kinds = [struct.unpack(">lb", data[start + 6 * each : start + 6 * each + 5]) for each in range(types)]
    before = next((offset for offset, daylight in kinds if not daylight), kinds[0][0])
    footer = data[body + _size(counts, width) :].strip(b"\n").decode() if at else ""
    last, changes = 0, list[str]()
    for time, index in zip(times, indices, strict=True):
        changes += (_base36(time - last), _base36(kinds[index][0]))
        last = time
    return f"{_base36(before)}|{_rule(footer)}|{' '.join(changes)}"


def _size(counts: tuple[int, ...], width: int) -> int:
    is_utc, is_standard, leaps, moments, types, characters = counts
    return moments * (width + 1) + types * 6 + characters + leaps * (width + 4) + is_standard + is_utc


_POSIX = re.compile(
    r"(?:[A-Za-z]+|<[^>]+>)([+-]?[\d:]+)(?:(?:[A-Za-z]+|<[^>]+>)([+-]?[\d:]+)?"
    r",M(\d+)\.(\d)\.(\d)(?:/([+-]?[\d:]+))?,M(\d+)\.(\d)\.(\d)(?:/([+-]?[\d:]+))?)?"
)


def _rule(footer: str) -> str:
    """A POSIX TZ string as numbers; its offsets count westwards."""
    found = _POSIX.fullmatch(footer)
    if found is None:
        return ""
    standard = -_seconds(found[1])
    if found[3] is None:
        return str(standard)
    daylight = -_seconds(found[2]) if found[2] else standard + 3600
    begin = [found[3], found[4], found[5], _seconds(found[6] or "2")]
    end = [found[7], found[8], found[9], _seconds(found[10] or "2")]
    return ",".join(map(str, [standard, daylight, *begin, *end]))


def _seconds(text: str) -> int:
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    return -total if text.startswith("-") else total


def _base36(number: int) -> str:
    digits, rest = "", abs(number)
    while rest or not digits:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"-{digits}" if number < 0 else digits
