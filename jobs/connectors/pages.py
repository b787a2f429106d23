"""How an action's next page is asked for, from the last one."""

import re
from dataclasses import dataclass
from typing import Final, assert_never

from domain.json import JSON, JSONObject, as_list
from jobs.connectors.declarations import CursorPages, LastIdPages, LinkPages, Pages
from jobs.connectors.requests import found

_NEXT: Final = re.compile(r"""<([^>]*)>\s*(?:;[^,]*?)?;\s*rel="?next"?""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Members of the input that are different for the next page, or its URL."""

    members: JSONObject | None = None
    url: str | None = None


def next_page(pages: Pages, body: JSON, elements: JSON, link: str) -> Next | None:
    """None when the page was the last; `elements` are those of the page, `link` is its header of that name."""
    match pages:
        case CursorPages():
            cursor = found(body, pages.cursor)
            return Next(members={pages.into: cursor}) if cursor else None
        case LastIdPages():
            last = found(list(as_list(elements))[-1:], f"0.{pages.id}")
            return Next(members={pages.into: last}) if found(body, pages.more) is True and last else None
        case LinkPages():
            next = _NEXT.search(link)
            return Next(url=next[1]) if next else None
        case _:
            assert_never(pages)
