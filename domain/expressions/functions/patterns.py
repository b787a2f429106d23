"""Dates written by a pattern of the Unicode kind (`dd.MM.yyyy HH:mm`), and read back."""

import re
from typing import Final

from domain.expressions.errors import OutOfRange
from domain.expressions.functions.moments import (
    Moment,
    fields,
    offset_text,
    placed,
    read_offset,
    wall_of,
)
from domain.expressions.functions.zones import Fixed, Zone

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z']+)")
_READS: Final = {
    "yyyy": "[0-9]{4}", "yy": "[0-9]{2}", "MM": "[0-9]{2}", "M": "[0-9]{1,2}", "dd": "[0-9]{2}", "d": "[0-9]{1,2}",
    "HH": "[0-9]{2}", "H": "[0-9]{1,2}", "hh": "[0-9]{2}", "h": "[0-9]{1,2}", "mm": "[0-9]{2}", "m": "[0-9]{1,2}",
    "ss": "[0-9]{2}", "s": "[0-9]{1,2}", "SSS": "[0-9]{3}", "a": "[AP]M", "XXX": "Z|[+-][0-9]{2}:[0-9]{2}",
    "MMMM": "|".join(MONTHS), "MMM": "|".join(month[:3] for month in MONTHS),
    "EEEE": "|".join(WEEKDAYS), "EEE": "|".join(day[:3] for day in WEEKDAYS),
}  # fmt: skip
_READ: Final = {letters: re.compile(pattern) for letters, pattern in _READS.items()}
_DEFAULTS: Final = {"y": 1970, "M": 1, "d": 1, "H": 0, "m": 0, "s": 0, "S": 0}


def pieces(pattern: str) -> list[tuple[str, str]]:
    """The pattern cut up: pairs of letters and literal text, one of them empty. Raises OutOfRange."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(pattern):
        piece = _PIECE.match(pattern, position)
        if piece is None:
            raise OutOfRange("a quote in the pattern is not closed")
        if piece[2] and piece[0] not in _READS:
            raise OutOfRange(f"{piece[0]} means nothing in a pattern")
        literal = piece[3] or ("" if piece[2] else (piece[1] or "").replace("''", "'") or "'")
        found.append((piece[0] if piece[2] else "", literal))
        position = piece.end()
    return found


def write(moment: Moment, pattern: str) -> str:
    """Raises OutOfRange for a pattern that is none."""
    year, month, day, hour, minute, second, milli = fields(moment.wall)
    weekday = WEEKDAYS[weekday_of(moment) - 1]
    texts = {
        "yyyy": f"{year:04}", "yy": f"{year % 100:02}", "MMMM": MONTHS[month - 1], "MMM": MONTHS[month - 1][:3],
        "MM": f"{month:02}", "M": f"{month}", "dd": f"{day:02}", "d": f"{day}", "EEEE": weekday, "EEE": weekday[:3],
        "HH": f"{hour:02}", "H": f"{hour}", "hh": f"{hour % 12 or 12:02}", "h": f"{hour % 12 or 12}",
        "mm": f"{minute:02}", "m": f"{minute}", "ss": f"{second:02}", "s": f"{second}", "SSS": f"{milli:03}",
        "a": "AM" if hour < 12 else "PM", "XXX": offset_text(moment.offset),
    }  # fmt: skip
    return "".join(literal or texts[letters] for letters, literal in pieces(pattern))


def weekday_of(moment: Moment) -> int:
    """1 is Monday, 7 Sunday."""
    return (moment.wall // 86_400_000 + 3) % 7 + 1


def read_by(text: str, pattern: str, zone: Zone) -> Moment:
    """What the pattern leaves out is the beginning of 1970. Raises OutOfRange when the text does not fit."""
    values = dict(_DEFAULTS)
    position, half = 0, ""
    for letters, literal in pieces(pattern):
        if literal:
            end = position + len(literal) if text.startswith(literal, position) else -1
        else:
            piece = _READ[letters].match(text, position)
            end = piece.end() if piece else -1
        if end < 0:
            raise OutOfRange("the text does not fit the pattern")
        if letters == "a":
            half = text[position:end]
        elif letters == "XXX":
            zone = Fixed(read_offset(text[position:end]))
        elif letters and letters[0] != "E":
            values["H" if letters[0] == "h" else letters[0]] = _number(letters, text[position:end])
        position = end
    if position < len(text):
        raise OutOfRange("the text does not fit the pattern")
    if half:
        values["H"] = values["H"] % 12 + (12 if half == "PM" else 0)
    try:
        return placed(wall_of([values[key] for key in "yMdHmsS"]), zone)
    except ValueError:
        raise OutOfRange("there is no such date") from None


def _number(letters: str, text: str) -> int:
    if letters in ("MMM", "MMMM"):
        return 1 + next(at for at, month in enumerate(MONTHS) if month.startswith(text[:3]))
    return 2000 + int(text) if letters == "yy" else int(text)
