"""Choosing another password: who may, and what it ends."""

from dataclasses import dataclass
from datetime import datetime

from domain import passwords, proofs
from domain.accounts import Account, AccountStore
from domain.errors import Conflict, Invalid, InvalidState
from domain.ids import SessionId
from domain.passwords import PasswordRules
from domain.proofs import Proving
from domain.sessions_kept import SessionStore
from domain.tenancy import ActorKind, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Securing:
    """What it needs; nothing in it is bound to a tenant."""

    accounts: AccountStore
    sessions: SessionStore
    rules: PasswordRules
    proving: Proving


async def person(by: Principal, store: AccountStore) -> Account:
    """Who asks; raises InvalidState for an API key, whoever it belongs to."""
    account = await store.get(by.actor.user_id) if by.actor.user_id is not None else None
    if account is None or by.actor.kind is not ActorKind.USER:
        raise InvalidState("An API key has no password", remedy="Sign in as a person.")
    return account


async def prove(account: Account, password: str, field: str, *, given: Proving, now: datetime) -> None:
    """Raises Invalid with `field` as path for a wrong password, TooManyAttempts."""
    if not await proofs.is_right(account, password, given=given, now=now):
        raise Invalid("The password is wrong", path=(field,), remedy="Give the password you have now.")


async def change(
    current: str, new: str, *, by: Principal, session: SessionId | None, given: Securing, now: datetime
) -> Account:
    """The account; all its sessions but this one are over, in every tenant.

    Raises InvalidState for an API key, Invalid for a wrong or an unfit password, TooManyAttempts, Conflict when it was
    changed at the same time.
    """
    account = await person(by, given.accounts)
    await passwords.check(new, account.email, given.rules, "new")
    await prove(account, current, "current", given=given.proving, now=now)
    if not await given.accounts.set_password(
        account.id, account.password_hash, await given.proving.passwords.hash(new)
    ):
        raise Conflict("The password was changed meanwhile", path=("current",), remedy="Try again.")
    await given.sessions.revoke(account.id, now, but=session)
    return account
