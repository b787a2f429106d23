"""Keyset pages: which part of an ordered list is wanted, and what came back.

A list is ordered by one field and then by id, so a place in it is the pair of both. Stores compare pairs, never
offsets; `schema.paging` turns places into opaque cursors that are refused under another order or filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from domain.errors import Invalid

T = TypeVar("T")

MAX_PAGE = 100
DEFAULT_PAGE = 25


class Direction(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an item stands: its id and, unless the list is ordered by id alone, the value it is ordered by."""

    id: UUID
    value: datetime | str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`first` items from the beginning or `last` items from the end (one of them is set) of what lies strictly between
    `after` and `before`, in the list's own order."""

    first: int | None = None
    after: Place | None = None
    last: int | None = None
    before: Place | None = None

    @property
    def limit(self) -> int:
        return self.first if self.first is not None else self.last or 0

    @property
    def backwards(self) -> bool:
        return self.first is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Generic[T]):
    """Items in the list's order, whichever end they were counted from."""

    items: Sequence[T]
    has_next: bool = False
    has_previous: bool = False


def page(
    first: int | None, after: Place | None, last: int | None, before: Place | None, *, most: int = MAX_PAGE
) -> Page:
    """A checked page, `DEFAULT_PAGE` items when no size is given; raises Invalid."""
    if first is not None and last is not None:
        raise Invalid("first and last exclude each other", path=("last",), remedy="Give one of them.")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= most:
            raise Invalid(f"{name} is {size}; it is at least 0 and at most {most}", path=(name,))
    if first is None and last is None:
        first = DEFAULT_PAGE
    return Page(first=first, after=after, last=last, before=before)


def cut(rows: Sequence[T], wanted: Page) -> Slice[T]:
    """A slice of the rows a store read for `wanted`: one more than `limit`, nearest to the counted end first."""
    more = len(rows) > wanted.limit
    items = rows[: wanted.limit]
    if wanted.backwards:
        return Slice(items=items[::-1], has_next=wanted.before is not None, has_previous=more)
    return Slice(items=items, has_next=more, has_previous=wanted.after is not None)
