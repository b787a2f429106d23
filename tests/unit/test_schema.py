"""The schema as it is written down, and the limits of a cursor."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.paging import Place
from schema.paging import Cursors
from schema.root import sdl

FILE = Path(__file__).parents[2] / "schema.graphql"

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=1000)
VALUES = st.one_of(
    st.tuples(st.none(), st.none()),
    st.tuples(st.just(int), st.integers(-(2**31) + 1, 2**31 - 1)),
    st.tuples(st.just(str), TEXTS),
    st.tuples(st.just(datetime), st.datetimes(timezones=st.just(UTC))),
)


def test_schema_graphql_is_what_the_code_serves() -> None:
    assert FILE.read_text() == sdl(), "run `weir export-schema`"


@given(st.uuids(), VALUES)
def test_a_cursor_gives_back_the_place_it_was_written_for(identity: UUID, typed: tuple[Any, Any]) -> None:
    orders_by, value = typed
    cursors, place = Cursors(kind="workflows", orders_by=orders_by, scope="filter"), Place(id=identity, value=value)

    assert cursors.read(cursors.write(place), "after") == place


@pytest.mark.parametrize("value", [1, "a", "\x00", datetime(2026, 1, 1), 2**31, None])  # noqa: DTZ001 -- as a forger would
def test_a_forged_value_that_the_list_cannot_have_is_refused(value: Any) -> None:
    forged = Cursors(kind="versions").write(Place(id=UUID(int=1), value=value))
    for orders_by in (int, str, datetime, None):
        if type(value) is not (orders_by or type(None)) or value in ("\x00", 2**31) or orders_by is datetime:
            with pytest.raises(Invalid):
                Cursors(kind="versions", orders_by=orders_by).read(forged, "after")


@given(st.text())
def test_a_text_that_is_no_cursor_is_refused_and_never_a_crash(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Cursors(kind="workflows").read(text, "before")
    assert refused.value.path == ("before",)


@pytest.mark.parametrize("other", [Cursors(kind="workflows", scope=2), Cursors(kind="executions", scope=1)])
def test_a_cursor_belongs_to_one_list(other: Cursors) -> None:
    text = Cursors(kind="workflows", scope=1).write(Place(id=UUID(int=1)))

    with pytest.raises(Invalid):
        other.read(text, "after")
