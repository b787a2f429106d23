"""People: one account per email address, member of one or several tenants with a role in each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.access import Role
from domain.errors import Invalid
from domain.ids import TenantId, UserId
from domain.sources import Ids
from domain.tenancy import Tenant

MIN_PASSWORD = 12
MAX_PASSWORD = 1024
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


class Passwords(Protocol):
    """Password hashing: slow on purpose, away from the event loop."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Takes as long for an account that does not exist (`hashed` None) as for one that does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One use of a sign-in: using it makes the next of its `family`; using it twice ends the family."""

    id: UUID
    tenant_id: TenantId
    account_id: UserId
    family: UUID
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


class RefreshTokenStore(Protocol):
    """Refresh tokens; used before a principal exists, so not bound to one tenant."""

    async def insert(self, token: RefreshToken) -> None: ...

    async def get(self, token_id: UUID) -> RefreshToken | None: ...

    async def use(self, token_id: UUID, at: datetime) -> bool:
        """Mark it used; False when it was used or revoked before (compare and set in one statement)."""
        ...

    async def revoke_family(self, family: UUID, at: datetime) -> None: ...


def check_email(email: str) -> str:
    """The address in its one spelling; raises Invalid."""
    cleaned = email.strip().lower()
    if not _EMAIL.fullmatch(cleaned):
        raise Invalid(f"{email[:100]!r} is no email address", path=("email",))
    return cleaned


def check_password(password: str) -> str:
    """The password; raises Invalid when it is shorter than 12 characters or absurdly long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", path=("password",))
    return password


async def create(
    *,
    email: str,
    name: str,
    password: str,
    store: AccountStore,
    passwords: Passwords,
    ids: Ids,
    now: datetime,
) -> Account:
    """A new account without memberships; raises Invalid, Conflict when the email is taken."""
    account = Account(
        id=UserId(ids()),
        email=check_email(email),
        name=name,
        password_hash=await passwords.hash(check_password(password)),
        created_at=now,
    )
    await store.insert(account)
    return account
