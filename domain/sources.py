"""What the domain is given instead of asking for it: the time and new ids."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""The time now, with a time zone (UTC)."""

Ids = Callable[[], UUID]
"""A new UUIDv7, later than every one before it in this process."""
