"""Cron schedules in local time, across the days on which the clock is changed."""

from datetime import UTC, datetime

import pytest

from domain.errors import Invalid
from domain.schedules import upcoming

NEW_YORK = "America/New_York"  # sets back on 2026-11-01 at 02:00, forward on 2026-03-08 at 02:00


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    return [moment.isoformat() for moment in upcoming(cron, zone, at(after), count)]


def test_a_schedule_is_due_in_local_time_summer_and_winter() -> None:
    assert times("0 9 * * 1-5", "Europe/Berlin", "2026-10-22T12:00:00+00:00", 3) == [
        "2026-10-23T09:00:00+02:00",
        "2026-10-26T09:00:00+01:00",
        "2026-10-27T09:00:00+01:00",
    ]


def test_a_fixed_hour_that_comes_twice_is_due_once() -> None:
    assert times("30 1 * * *", NEW_YORK, "2026-11-01T00:00:00-04:00", 2) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
    ]


def test_a_fixed_hour_that_does_not_come_is_due_right_after_the_gap() -> None:
    assert times("30 2 * * *", NEW_YORK, "2026-03-08T00:00:00-05:00", 2) == [
        "2026-03-08T03:30:00-04:00",
        "2026-03-09T02:30:00-04:00",
    ]


def test_an_hourly_schedule_follows_real_time_through_both_changes() -> None:
    assert times("*/30 * * * *", NEW_YORK, "2026-11-01T00:45:00-04:00", 5) == [
        "2026-11-01T01:00:00-04:00",
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T01:00:00-05:00",
        "2026-11-01T01:30:00-05:00",
        "2026-11-01T02:00:00-05:00",
    ]
    assert times("*/30 * * * *", NEW_YORK, "2026-03-08T01:15:00-05:00", 3) == [
        "2026-03-08T01:30:00-05:00",
        "2026-03-08T03:00:00-04:00",
        "2026-03-08T03:30:00-04:00",
    ]


def test_a_day_that_never_comes_is_never_due() -> None:
    assert upcoming("0 0 30 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 3) == []


def test_a_moment_itself_is_not_later_than_itself() -> None:
    assert times("0 0 * * *", "UTC", "2026-01-01T00:00:00+00:00", 1) == ["2026-01-02T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("cron", "zone", "count", "path"),
    [
        ("0 9 * *", "UTC", 1, ("cron",)),
        ("0 9 * * * *", "UTC", 1, ("cron",)),
        ("61 * * * *", "UTC", 1, ("cron",)),
        ("x" * 10_000, "UTC", 1, ("cron",)),
        ("0 9 * * *", "Mars/Olympus", 1, ("timeZone",)),
        ("0 9 * * *", "../../etc/passwd", 1, ("timeZone",)),
        ("0 9 * * *", "UTC", 101, ("count",)),
        ("0 9 * * *", "UTC", -1, ("count",)),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(cron: str, zone: str, count: int, path: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        upcoming(cron, zone, datetime(2026, 1, 1, tzinfo=UTC), count)
    assert refused.value.path == path
