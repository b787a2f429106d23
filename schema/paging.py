"""Relay connections with keyset cursors (https://relay.dev/graphql/connections.htm): changes when paging does.

A cursor is base64url of a JSON list: what kind of list, a digest of its order and filter, the item's id and the value
it is ordered by. It is opaque to callers, and refused where it was not given out.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import strawberry

from domain.errors import Invalid
from domain.paging import Page, Place, Slice, page
from domain.storable import checked_text

_LONGEST = 1_000
_LARGEST = 2**31  # of what PostgreSQL calls an integer

T = TypeVar("T")
V = TypeVar("V")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An item with its place in the list.")
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo

    @strawberry.field(description="How many there are on all pages; null where counting would mean reading all.")
    @staticmethod
    async def total_count(root: strawberry.Parent["Listed[Any]"]) -> int | None:
        return await root.count() if root.count is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEdge(Generic[V]):
    node: V
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[V]):
    """The value behind a connection."""

    edges: Sequence[ListedEdge[V]]
    page_info: PageInfo
    count: Callable[[], Awaitable[int]] | None = None

    @property
    def nodes(self) -> Sequence[V]:
        return [edge.node for edge in self.edges]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursors:
    """The cursors of one list: `kind` names it, `scope` is everything that decides its order and content.

    `orders_by`: the type of the values it is ordered by, None when it is ordered by id alone.
    """

    kind: str
    orders_by: type[datetime | str | int] | None = None
    scope: object = None

    @property
    def _digest(self) -> str:
        return hashlib.sha256(repr(self.scope).encode()).hexdigest()[:12]

    def write(self, place: Place) -> str:
        value = {"at": place.value.isoformat()} if isinstance(place.value, datetime) else place.value
        written = json.dumps([self.kind, self._digest, place.id.hex, value], separators=(",", ":"))
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")

    def read(self, text: str | None, name: str) -> Place | None:
        """The place in a cursor of this very list; raises Invalid with `name` as path."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            kind, digest, identity, written = cast("list[Any]", json.loads(raw))
            ours = (kind, digest) == (self.kind, self._digest)
            place = Place(id=UUID(hex=identity), value=_value(written, self.orders_by)) if ours else None
        except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError, Invalid):
            raise Invalid("The cursor is none of ours", path=(name,), remedy="Send cursors as they came.") from None
        if place is None:
            raise Invalid(
                "The cursor belongs to another list, order or filter",
                path=(name,),
                remedy="Begin at the first page of this one.",
            )
        return place

    def page(self, first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
        """Raises Invalid for sizes out of range and cursors of other lists."""
        return page(first, self.read(after, "after"), last, self.read(before, "before"))

    def listed(
        self,
        found: Slice[V],
        place: Callable[[V], Place],
        count: Callable[[], Awaitable[int]] | None = None,
    ) -> Listed[V]:
        edges = [ListedEdge(node=item, cursor=self.write(place(item))) for item in found.items]
        info = PageInfo(
            has_next_page=found.has_next,
            has_previous_page=found.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return Listed(edges=edges, page_info=info, count=count)


def _value(written: Any, kind: type[datetime | str | int] | None) -> datetime | str | int | None:
    """The value as it was written; raises ValueError for one that this list cannot have."""
    value = datetime.fromisoformat(str(cast("dict[str, Any]", written)["at"])) if isinstance(written, dict) else written
    match value:
        case None if kind is None:
            return None
        case datetime() if kind is datetime and value.tzinfo is not None:
            return value
        case str() if kind is str:
            return checked_text(value, most=_LONGEST)
        case int() if kind is int and not isinstance(value, bool) and abs(value) < _LARGEST:
            return value
        case _:
            raise ValueError("no value of this list")
