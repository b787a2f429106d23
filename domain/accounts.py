"""People: one account per email address, member of one or several tenants with a role in each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.access import Role
from domain.errors import Invalid
from domain.ids import TenantId, UserId
from domain.passwords import PasswordRules
from domain.passwords import check as check_password
from domain.sources import Ids
from domain.tenancy import Tenant

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`email` is lower case; a deactivated account cannot sign in anywhere."""

    id: UserId
    email: str
    name: str
    password_hash: str
    created_at: datetime
    deactivated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    tenant: Tenant
    user_id: UserId
    role: Role


class AccountStore(Protocol):
    """Accounts and memberships; used before a principal exists, so not bound to one tenant."""

    async def get(self, user_id: UserId) -> Account | None: ...

    async def by_email(self, email: str) -> Account | None:
        """`email` in lower case."""
        ...

    async def memberships(self, user_id: UserId) -> Sequence[Membership]:
        """Of every tenant, suspended ones included, oldest first."""
        ...

    async def insert(self, account: Account) -> None:
        """Raises Conflict when the email is taken."""
        ...

    async def join(self, tenant_id: TenantId, user_id: UserId, role: Role, at: datetime) -> None:
        """Membership with this role; an existing one takes the new role."""
        ...

    async def set_password(self, user_id: UserId, old: str, new: str) -> bool:
        """Hashes; False when `old` is not what is stored any more (compare and set in one statement)."""
        ...


class Passwords(Protocol):
    """Password hashing: slow on purpose, away from the event loop."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Takes as long for an account that does not exist (`hashed` None) as for one that does."""
        ...

    def outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than new ones are."""
        ...


def check_email(email: str) -> str:
    """The address in its one spelling; raises Invalid."""
    cleaned = email.strip().lower()
    if not _EMAIL.fullmatch(cleaned) or not cleaned.isprintable():
        raise Invalid(f"{email[:100]!r} is no email address", path=("email",))
    return cleaned


async def create(
    *,
    email: str,
    name: str,
    password: str,
    store: AccountStore,
    passwords: Passwords,
    rules: PasswordRules,
    ids: Ids,
    now: datetime,
) -> Account:
    """A new account without memberships; raises Invalid, Conflict when the email is taken."""
    address = check_email(email)
    account = Account(
        id=UserId(ids()),
        email=address,
        name=name,
        password_hash=await passwords.hash(await check_password(password, address, rules)),
        created_at=now,
    )
    await store.insert(account)
    return account
