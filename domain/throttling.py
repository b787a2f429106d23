"""How long who guesses has to wait: changes when the pace of guessing does.

An attempt counts as failed from its beginning until it is known to be right, so that many at once are not more than
many in a row.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Protocol

from domain.errors import QuotaExceeded
from domain.ids import UserId

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)
_SITE = 64
"""Bits of an IPv6 address that one customer of a provider cannot choose."""


class Guessed(StrEnum):
    """What is guessed at. Who is signed in has a count of their own: no stranger can keep them from signing."""

    EMAIL = "email"
    ADDRESS = "address"
    PERSON = "person"


FREE = {Guessed.EMAIL: 5, Guessed.ADDRESS: 20, Guessed.PERSON: 5}
"""Failures before the first wait. Many people share an address, and each may err."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose attempts are counted together."""

    guessed: Guessed
    name: str

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, by which it is kept: what was typed as an email may be a password by mistake."""
        return hashlib.sha256(f"{self.guessed}:{self.name}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Of one subject; the last one `failed_at`, the next attempt at `free_at` at the earliest."""

    count: int
    failed_at: datetime
    free_at: datetime


class TooManyAttempts(QuotaExceeded):
    """Nothing was looked at; `retry_after` seconds later something is."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, ceil(wait.total_seconds()))
        super().__init__(
            "Too many attempts have failed",
            retry_after=seconds,
            remedy=f"Try again in {seconds} s; every further failure makes the wait longer.",
        )


class Throttle(Protocol):
    """Counts of failures; used before a principal exists, so not bound to one tenant."""

    async def begin(self, subjects: Sequence[Subject], at: datetime) -> timedelta | None:
        """Count a failure for each with `failed`, atomically; how long to wait, and nothing counted, if one must."""
        ...

    async def forget(self, subject: Subject) -> None:
        """All its failures."""
        ...

    async def give_back(self, subject: Subject) -> None:
        """One of its failures, which was none."""
        ...


def email(text: str) -> Subject:
    """Of whoever has, or would have, this address."""
    return Subject(guessed=Guessed.EMAIL, name=text.strip().lower())


def person(user_id: UserId) -> Subject:
    return Subject(guessed=Guessed.PERSON, name=user_id.hex)


def address(text: str) -> Subject:
    """Of everybody who comes from this IP address, or from its /64 if it has version 6."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return Subject(guessed=Guessed.ADDRESS, name=text)
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or IPv6Address(int(found) >> (128 - _SITE) << (128 - _SITE))
    return Subject(guessed=Guessed.ADDRESS, name=str(found))


def failed(subject: Subject, before: Failures, at: datetime) -> Failures:
    """With one failure more; a day without any clears the count."""
    count = 1 if at - before.failed_at >= FORGOTTEN_AFTER else before.count + 1
    return Failures(count=count, failed_at=at, free_at=at + wait_after(subject.guessed, count))


def wait_after(guessed: Guessed, failures: int) -> timedelta:
    """None at first, then a second that doubles with each failure, up to a quarter of an hour."""
    beyond = failures - FREE[guessed]
    return timedelta() if beyond < 0 else min(FIRST_WAIT * 2 ** min(beyond, 30), LONGEST_WAIT)


async def begin(subjects: Sequence[Subject], *, throttle: Throttle, now: datetime) -> None:
    """Raises TooManyAttempts."""
    wait = await throttle.begin(subjects, now)
    if wait is not None:
        raise TooManyAttempts(wait)
