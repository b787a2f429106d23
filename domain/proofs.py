"""Proving again who one is, with one's own password: changes when more or less than that is asked."""

from dataclasses import dataclass
from datetime import datetime

from domain import throttling
from domain.accounts import Account, Passwords
from domain.throttling import Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """What it needs; nothing in it is bound to a tenant."""

    passwords: Passwords
    throttle: Throttle


async def is_right(account: Account, password: str, *, given: Proving, now: datetime) -> bool:
    """Whether it is the password of the account, which is still in use; raises TooManyAttempts."""
    guessing = throttling.person(account.id)
    await throttling.begin([guessing], throttle=given.throttle, now=now)
    right = await given.passwords.matches(password, account.password_hash)
    if not right or account.deactivated_at is not None:
        return False
    await given.throttle.forget(guessing)
    return True
