"""Signing in: by password, by refresh token (each good once), by the id and secret of an API key."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from domain.access import permissions_of
from domain.accounts import AccountStore, Membership, Passwords, RefreshToken, RefreshTokenStore
from domain.apikeys import TOUCH_EVERY, ApiKey, ApiKeyStore, Secret, digest
from domain.errors import Unauthenticated
from domain.ids import ApiKeyId, TenantId, UserId
from domain.networks import is_among
from domain.sources import Ids
from domain.tenancy import Actor, ActorKind, Principal, Tenant, TenantStore

REFRESH_PREFIX = "refresh_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A principal with the tenant it acts for; `role` is the name of its role.

    `allowed_ips`: addresses and networks it may ask from, empty for anywhere.
    """

    principal: Principal
    tenant: Tenant
    role: str
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
    passwords: Passwords
    ids: Ids
    secret: Secret
    refresh_life: timedelta


async def with_password(
    email: str, password: str, tenant_slug: str | None, *, given: SignIn, now: datetime
) -> SignedIn:
    """A session in the tenant of this slug, else in the one joined first.

    Raises Unauthenticated, in the same words and time whether email, password or tenant is wrong.
    """
    account = await given.accounts.by_email(email.strip().lower())
    right = await given.passwords.matches(password, account.password_hash if account else None)
    if account is None or not right or account.deactivated_at is not None:
        raise _wrong()
    memberships = await given.accounts.memberships(account.id)
    for membership in memberships:
        if tenant_slug in (None, membership.tenant.slug) and membership.tenant.suspended_at is None:
            return await _signed_in(membership, given.ids(), given, now)
    raise _wrong()


async def with_refresh_token(text: str, *, given: SignIn, now: datetime) -> SignedIn:
    """The next token of the same sign-in. Raises Unauthenticated; a token used twice ends the sign-in for all."""
    token = await _refresh_token(text, given)
    if token.revoked_at is not None or token.expires_at <= now:
        raise _ended()
    if not await given.refresh_tokens.use(token.id, now):
        # Somebody has a copy: neither it nor what came of it may go on.
        await given.refresh_tokens.revoke_family(token.family, now)
        raise _ended()
    membership = await membership_of(token.account_id, token.tenant_id, given.accounts)
    return await _signed_in(membership, token.family, given, now)


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


def identity_of(membership: Membership, expires_at: datetime | None = None) -> Identity:
    principal = Principal(
        tenant_id=membership.tenant.id,
        actor=Actor(kind=ActorKind.USER, id=membership.user_id, user_id=membership.user_id),
        permissions=permissions_of(membership.role),
        expires_at=expires_at,
    )
    return Identity(principal=principal, tenant=membership.tenant, role=membership.role.value)


async def _signed_in(membership: Membership, family: UUID, given: SignIn, now: datetime) -> SignedIn:
    token_id, secret = given.ids(), given.secret()
    await given.refresh_tokens.insert(
        RefreshToken(
            id=token_id,
            tenant_id=membership.tenant.id,
            account_id=membership.user_id,
            family=family,
            secret_hash=digest(secret),
            created_at=now,
            expires_at=now + given.refresh_life,
        )
    )
    return SignedIn(identity=identity_of(membership), refresh_token=f"{REFRESH_PREFIX}{token_id.hex}_{secret}")


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
