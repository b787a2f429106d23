"""Signing in: by password, by refresh token (each good once), by the id and secret of an API key."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from domain import sessions_kept, throttling
from domain.access import permissions_of
from domain.accounts import Account, AccountStore, Membership, Passwords, check_email
from domain.apikeys import TOUCH_EVERY, ApiKey, ApiKeyStore, Secret, digest
from domain.errors import Invalid, Unauthenticated
from domain.ids import ApiKeyId, SessionId, TenantId, UserId
from domain.networks import is_among
from domain.sessions_kept import Origin, RefreshToken, RefreshTokenStore, Session, SessionStore
from domain.sources import Ids
from domain.tenancy import Actor, ActorKind, Principal, Tenant, TenantStore
from domain.throttling import Throttle

REFRESH_PREFIX = "refresh_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A principal with the tenant it acts for; `role` is the name of its role, `session_id` None for API keys.

    `allowed_ips`: addresses and networks it may ask from, empty for anywhere.
    """

    principal: Principal
    tenant: Tenant
    role: str
    session_id: SessionId | None = None
    allowed_ips: tuple[str, ...] = ()

    def asking_from(self, address: str | None) -> Self:
        """The identity; raises Unauthenticated where it may not be used from this IP address."""
        if self.allowed_ips and not is_among(address, self.allowed_ips):
            raise Unauthenticated(
                "This API key may not be used from this address",
                remedy="Use it from an address on its list, or have an administrator change the list.",
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """`refresh_token` is shown this once; API keys get none."""

    identity: Identity
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What signing in needs; nothing in it is bound to a tenant."""

    accounts: AccountStore
    refresh_tokens: RefreshTokenStore
    keys: ApiKeyStore
    tenants: TenantStore
    sessions: SessionStore
    passwords: Passwords
    throttle: Throttle
    ids: Ids
    secret: Secret
    refresh_life: timedelta


async def with_password(
    email: str, password: str, tenant_slug: str | None, *, origin: Origin, given: SignIn, now: datetime
) -> SignedIn:
    """A session in the tenant of this slug, else in the one joined first.

    Raises Unauthenticated, in the same words and time whether email, password or tenant is wrong; TooManyAttempts
    before looking at any of them.
    """
    theirs = throttling.email(email)
    place = throttling.address(origin.address) if origin.address else None
    await throttling.begin([theirs, place] if place else [theirs], throttle=given.throttle, now=now)
    account = await _account(email, password, given)
    membership = await _membership(account, tenant_slug, given)
    await given.throttle.forget(theirs)
    if place is not None:
        # Who knows one password of their own does not clear what was guessed at others from there.
        await given.throttle.give_back(place)
    await _renew_hash(account, password, given)
    session = Session(
        id=SessionId(given.ids()),
        tenant_id=membership.tenant.id,
        account_id=account.id,
        origin=origin,
        created_at=now,
        last_used_at=now,
        expires_at=now + given.refresh_life,
    )
    await given.sessions.insert(session)
    return await _signed_in(membership, session, given, now)


async def with_refresh_token(text: str, *, origin: Origin, given: SignIn, now: datetime) -> SignedIn:
    """The next token of the same session. Raises Unauthenticated; a token used twice ends the session for all."""
    token = await _refresh_token(text, given)
    session = await given.sessions.get(token.family)
    if session is None or not session.in_force(now) or token.revoked_at is not None or token.expires_at <= now:
        raise _ended()
    if not await given.refresh_tokens.use(token.id, now):
        # Somebody has a copy: neither it nor what came of it may go on.
        await given.sessions.revoke(token.account_id, now, only=session.id)
        raise _ended()
    membership = await membership_of(token.account_id, token.tenant_id, given.accounts)
    renewed = replace(session, origin=origin, last_used_at=now, expires_at=now + given.refresh_life)
    await given.sessions.touch(renewed)
    return await _signed_in(membership, renewed, given, now)


async def with_api_key(key_id: ApiKeyId, secret: str, *, given: SignIn, now: datetime) -> SignedIn:
    """Who the key is; raises Unauthenticated."""
    identity, key = await key_identity(key_id, secret, keys=given.keys, tenants=given.tenants, now=now)
    await touch(key, given.keys, now)
    return SignedIn(identity=identity)


async def membership_of(user_id: UserId, tenant_id: TenantId, accounts: AccountStore) -> Membership:
    """The person's standing in the tenant today; raises Unauthenticated when there is none any more."""
    account = await accounts.get(user_id)
    if account is not None and account.deactivated_at is None:
        for membership in await accounts.memberships(user_id):
            if membership.tenant.id == tenant_id and membership.tenant.suspended_at is None:
                return membership
    raise _ended()


async def key_identity(
    key_id: ApiKeyId, secret: str, *, keys: ApiKeyStore, tenants: TenantStore, now: datetime
) -> tuple[Identity, ApiKey]:
    """Who the key is, and the key; raises Unauthenticated."""
    key = await keys.get(key_id)
    if key is None or not key.holds(secret, now):
        raise _no_key()
    return await _identity_of_key(key, tenants), key


async def key_standing(key_id: ApiKeyId, *, keys: ApiKeyStore, tenants: TenantStore, now: datetime) -> Identity:
    """Who a key is that was proven before; raises Unauthenticated when it is in force no more."""
    key = await keys.get(key_id)
    if key is None or not key.in_force(now):
        raise _no_key()
    return await _identity_of_key(key, tenants)


async def _identity_of_key(key: ApiKey, tenants: TenantStore) -> Identity:
    tenant = await tenants.get(key.tenant_id)
    if tenant is None or tenant.suspended_at is not None:
        raise _ended()
    actor = Actor(kind=ActorKind.API_KEY, id=key.id, user_id=key.account_id)
    principal = Principal(tenant_id=key.tenant_id, actor=actor, permissions=key.permissions, expires_at=key.expires_at)
    return Identity(principal=principal, tenant=tenant, role=key.role.value, allowed_ips=key.allowed_ips)


async def touch(key: ApiKey, keys: ApiKeyStore, now: datetime) -> ApiKey:
    """The key with its use remembered, which is written at most once a minute."""
    if key.last_used_at is not None and now - key.last_used_at < TOUCH_EVERY:
        return key
    await keys.touch(key.id, now)
    return replace(key, last_used_at=now)


async def session_standing(
    session_id: SessionId,
    user_id: UserId,
    tenant_id: TenantId,
    *,
    accounts: AccountStore,
    sessions: SessionStore,
    now: datetime,
) -> Identity:
    """Who somebody is that signed in before; raises Unauthenticated when the session is over or they may no more."""
    session = await sessions_kept.standing(session_id, store=sessions, now=now)
    if session is None or (session.account_id, session.tenant_id) != (user_id, tenant_id):
        raise _ended()
    return identity_of(await membership_of(user_id, tenant_id, accounts), session_id)


def identity_of(membership: Membership, session_id: SessionId) -> Identity:
    principal = Principal(
        tenant_id=membership.tenant.id,
        actor=Actor(kind=ActorKind.USER, id=membership.user_id, user_id=membership.user_id),
        permissions=permissions_of(membership.role),
    )
    return Identity(principal=principal, tenant=membership.tenant, role=membership.role.value, session_id=session_id)


async def _account(email: str, password: str, given: SignIn) -> Account:
    """Whose email and password these are; what cannot be an email takes as long as one that nobody has."""
    try:
        account = await given.accounts.by_email(check_email(email))
    except Invalid:
        account = None
    right = await given.passwords.matches(password, account.password_hash if account else None)
    if account is None or not right or account.deactivated_at is not None:
        raise _wrong()
    return account


async def _membership(account: Account, tenant_slug: str | None, given: SignIn) -> Membership:
    for membership in await given.accounts.memberships(account.id):
        if tenant_slug in (None, membership.tenant.slug) and membership.tenant.suspended_at is None:
            return membership
    raise _wrong()


async def _renew_hash(account: Account, password: str, given: SignIn) -> None:
    """Hash it as new passwords are, now that it is here; not over one that was chosen meanwhile."""
    if given.passwords.outdated(account.password_hash):
        await given.accounts.set_password(account.id, account.password_hash, await given.passwords.hash(password))


async def _signed_in(membership: Membership, session: Session, given: SignIn, now: datetime) -> SignedIn:
    token_id, secret = given.ids(), given.secret()
    await given.refresh_tokens.insert(
        RefreshToken(
            id=token_id,
            tenant_id=membership.tenant.id,
            account_id=membership.user_id,
            family=session.id,
            secret_hash=digest(secret),
            created_at=now,
            expires_at=session.expires_at,
        )
    )
    identity = identity_of(membership, session.id)
    return SignedIn(identity=identity, refresh_token=f"{REFRESH_PREFIX}{token_id.hex}_{secret}")


async def _refresh_token(text: str, given: SignIn) -> RefreshToken:
    identity, _, secret = text.removeprefix(REFRESH_PREFIX).partition("_")
    try:
        token = await given.refresh_tokens.get(UUID(hex=identity))
    except ValueError:
        token = None
    if token is None or not hmac.compare_digest(token.secret_hash, digest(secret)):
        raise _ended()
    return token


def _wrong() -> Unauthenticated:
    return Unauthenticated("Email, password or tenant is wrong", remedy="Check all three and try again.")


def _no_key() -> Unauthenticated:
    return Unauthenticated("The API key does not hold", remedy="It may have ended or been revoked; get a new one.")


def _ended() -> Unauthenticated:
    return Unauthenticated("The session is over", remedy="Sign in again.")
