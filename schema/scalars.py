"""The scalars of the API and how each is written: changes when one is added."""

from datetime import datetime
from typing import TYPE_CHECKING, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

if TYPE_CHECKING:
    from domain.json import JSON
else:
    # Strawberry needs a class to know the scalar by; to the reader its values are the domain's JSON.
    from strawberry.scalars import JSON

BigInt = NewType("BigInt", int)
Cursor = NewType("Cursor", str)

__all__ = ["DEFINITIONS", "JSON", "BigInt", "Cursor"]

_LARGEST = 2**63


def _write_moment(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no moment")
    return value.isoformat().replace("+00:00", "Z")


def _read_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{str(value)[:40]!r} is no moment with an offset, such as 2026-03-01T09:00:00Z")
    return moment


def _read_big(value: object) -> int:
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or not -_LARGEST <= number < _LARGEST:
        raise ValueError(f"{str(value)[:40]!r} is no whole number of 64 bits")
    return number


def _read_cursor(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("A cursor is a text this API gave out")
    return value


DEFINITIONS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment with its offset, as RFC 3339 writes it: 2026-03-01T09:00:00Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_write_moment,
        parse_value=_read_moment,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits, written as text because many readers stop at 53.",
        serialize=str,
        parse_value=_read_big,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A place in the log of one execution; opaque, to be sent back as it came.",
        serialize=str,
        parse_value=_read_cursor,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value: data of users, never of Weir.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
