"""Changes when lists are cut into pages in another way: conditions and order for a `domain.paging.Page`.

Rows are read nearest to the counted end first, one more than asked for; `domain.paging.cut` turns them round again.
"""

from typing import Any

from tortoise.expressions import Q

from domain.paging import Direction, Page, Place


def ascending(page: Page, direction: Direction) -> bool:
    """Whether rows are read in ascending order."""
    return (direction is Direction.ASC) is not page.backwards


def order(page: Page, direction: Direction, *fields: str) -> tuple[str, ...]:
    """For `order_by`."""
    sign = "" if ascending(page, direction) else "-"
    return tuple(sign + field for field in fields)


def between(page: Page, direction: Direction, field: str) -> Q:
    """Strictly between the page's places, in a list ordered by `field` and then by id."""
    later, earlier = ("gt", "lt") if direction is Direction.ASC else ("lt", "gt")
    after = _beyond(page.after, field, later) if page.after else Q()
    before = _beyond(page.before, field, earlier) if page.before else Q()
    return after & before


def _beyond(place: Place, field: str, side: str) -> Q:
    further = _is(f"{field}__{side}", place.value) | (_is(field, place.value) & _is(f"id__{side}", place.id))
    # The first condition follows from the second; it is what an index on the field can be searched by.
    return _is(f"{field}__{side}e", place.value) & further


def _is(name: str, value: object) -> Q:
    condition: dict[str, Any] = {name: value}
    return Q(**condition)
