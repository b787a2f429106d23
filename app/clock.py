"""The one place that reads the clock for wiring: everything else is given it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
