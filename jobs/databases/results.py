"""What comes back from a database as JSON, and no more of it than is allowed."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast

import orjson

from domain.files import FileRef
from domain.json import JSON
from domain.storable import MAX_DEPTH
from jobs.databases.failures import DatabaseFailed

MAX_BYTES: Final = 16 * 1024 * 1024
_EXACT: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`rows` have their values in the order of `columns`; `affected` counts rows changed, else rows returned.

    `file`: the SQLite file as it is after the change.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[JSON]]
    affected: int
    file: FileRef | None = None


class Rows:
    """Collects rows. `enough`: stop after so many; `most`: more than so many are an error."""

    def __init__(self, columns: Iterable[str], *, most: int, enough: int | None, exact: bool) -> None:
        self.columns = tuple(unique(columns))
        self.rows: list[list[JSON]] = []
        self._most = most
        self._enough = enough
        self._exact = exact
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._enough is not None and len(self.rows) >= self._enough

    def add(self, values: Iterable[object]) -> None:
        """Raises DatabaseFailed: TOO_MANY_ROWS, RESULT_TOO_LARGE."""
        if len(self.rows) == self._most:
            remedy = "Ask for fewer with LIMIT, raise maxRows, or aggregate in the statement."
            message = f"The result has more than {self._most:,} rows"
            raise DatabaseFailed("TOO_MANY_ROWS", message, remedy=remedy)
        row = [as_json(value, exact=self._exact) for value in values]
        self._bytes += len(orjson.dumps(row))
        if self._bytes > MAX_BYTES:
            raise too_large()
        self.rows.append(row)

    def result(self, affected: int | None = None) -> Result:
        count = len(self.rows) if affected is None else affected
        return Result(columns=self.columns, rows=self.rows, affected=count)


def too_large() -> DatabaseFailed:
    message = f"The result has more than {MAX_BYTES >> 20} MiB"
    return DatabaseFailed("RESULT_TOO_LARGE", message, remedy="Ask for fewer rows or columns at a time.")


def unique(names: Iterable[str]) -> list[str]:
    """The names, those that occur again with a number: `id`, `id_2`. None is lost when rows become objects."""
    taken: set[str] = set()
    chosen: list[str] = []
    for name in names:
        number, candidate = 1, clean(name)
        while candidate in taken:
            number += 1
            candidate = f"{clean(name)}_{number}"
        taken.add(candidate)
        chosen.append(candidate)
    return chosen


def clean(text: str) -> str:
    """Text without what JSON in PostgreSQL cannot hold: U+0000 and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def as_json(value: object, *, exact: bool, depth: int = 0) -> JSON:
    """A driver's value as JSON: dates in ISO 8601, intervals in seconds, bytes in base64.

    Decimals and whole numbers beyond 64 bits are text with `exact`, else the nearest number.
    """
    match value:
        case None | bool():
            return value
        case str():
            return clean(value)
        case int():
            return value if -_EXACT <= value < _EXACT else str(value) if exact else float(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return _decimal(value, exact)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case _:
            return _composite(value, exact, depth + 1)


def _composite(value: object, exact: bool, depth: int) -> JSON:
    if depth > MAX_DEPTH:
        raise DatabaseFailed("RESULT_TOO_DEEP", f"A value of the result is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return {clean(str(name)): as_json(member, exact=exact, depth=depth) for name, member in members.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(element, exact=exact, depth=depth) for element in cast("Iterable[object]", value)]
    return clean(str(value))


def _decimal(value: Decimal, exact: bool) -> JSON:
    if exact or not value.is_finite():
        return format(value, "f") if value.is_finite() else str(value)
    whole = value == value.to_integral_value() and abs(value) < _EXACT
    number = int(value) if whole else float(value)
    return number if math.isfinite(number) else str(value)
