"""Which passwords people may choose: changes when the policy does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.errors import Invalid

LONG_ENOUGH = 12
LONGEST = 256
STRONG_ENOUGH = 3
_SHORTEST_NAME = 3
"""Characters of an email name below which nearly every password would contain it."""


class Strength(Protocol):
    """How hard a password of fewer than 12 characters is to guess."""

    def __call__(self, password: str, known: Sequence[str]) -> int:
        """0 (at once) to 4 (not in years); `known` is what an attacker knows of the person."""
        ...


class BreachedPasswords(Protocol):
    """Passwords that are known from elsewhere."""

    async def contains(self, password: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """`breached` None: nothing is known of leaked passwords."""

    strength: Strength
    breached: BreachedPasswords | None = None


async def check(password: str, email: str, rules: PasswordRules, field: str = "password") -> str:
    """The password; raises Invalid with `field` as path when it is too long, too easy, has the email's name in it or
    is known from elsewhere."""
    name = email.partition("@")[0].lower()
    if len(password) > LONGEST:
        raise _refused(field, f"has more than {LONGEST} characters", f"Choose one of at most {LONGEST} characters.")
    if "\0" in password:
        raise _refused(field, "has a NUL character in it", "Leave it out.")
    if len(name) >= _SHORTEST_NAME and name in password.lower():
        raise _refused(field, "contains the name of the email address", "Choose one without it.")
    if len(password) < LONG_ENOUGH and rules.strength(password, (email, name)) < STRONG_ENOUGH:
        remedy = f"Choose one of {LONG_ENOUGH} characters or more, or one that is harder to guess."
        raise _refused(field, "is short and easy to guess", remedy)
    if rules.breached is not None and await rules.breached.contains(password):
        raise _refused(field, "is on a list of leaked passwords", "Choose one that you have used nowhere else.")
    return password


def _refused(field: str, why: str, remedy: str) -> Invalid:
    return Invalid(f"The password {why}", path=(field,), remedy=remedy)
