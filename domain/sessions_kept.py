"""Sessions as they are kept: what a sign-in leaves behind, who may see it, and how it is ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.errors import InvalidState, NotFound
from domain.ids import SessionId, TenantId, UserId, encode
from domain.tenancy import ActorKind, Principal

TOUCH_EVERY = timedelta(minutes=1)
MAX_AGENT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """From where somebody comes: their IP address and what their program calls itself, as far as known."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in of a person to a tenant; `origin` is where it was last refreshed from."""

    id: SessionId
    tenant_id: TenantId
    account_id: UserId
    origin: Origin
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now


class SessionStore(Protocol):
    """Sessions; used before a principal exists, so not bound to one tenant."""

    async def insert(self, session: Session) -> None: ...

    async def get(self, session_id: SessionId) -> Session | None: ...

    async def of_person(self, tenant_id: TenantId, user_id: UserId) -> Sequence[Session]:
        """Those that were not revoked, newest first; over ones among them."""
        ...

    async def touch(self, session: Session) -> None:
        """Keep its origin, last use and end, unless it was revoked."""
        ...

    async def revoke(
        self,
        user_id: UserId,
        at: datetime,
        *,
        only: SessionId | None = None,
        but: SessionId | None = None,
        tenant_id: TenantId | None = None,
    ) -> int:
        """End the person's sessions with their refresh tokens; how many were not ended before.

        `only` this one, all `but` this one, those to one tenant.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One use of a session: using it makes the next of its `family`; using it twice ends the session."""

    id: UUID
    tenant_id: TenantId
    account_id: UserId
    family: SessionId
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


async def own(by: Principal, *, store: SessionStore, now: datetime) -> Sequence[Session]:
    """Of the person who asks, to the tenant they ask for, newest first; an API key has none."""
    if by.actor.kind is not ActorKind.USER or by.actor.user_id is None:
        return ()
    return [each for each in await store.of_person(by.tenant_id, by.actor.user_id) if each.in_force(now)]


async def revoke(session_id: SessionId, *, by: Principal, store: SessionStore, now: datetime) -> Session:
    """One of one's own, be it the current one; raises NotFound."""
    for session in await own(by, store=store, now=now):
        if session.id == session_id:
            await store.revoke(session.account_id, now, only=session_id)
            return replace(session, revoked_at=now)
    raise NotFound("session", encode("session", session_id))


async def revoke_others(by: Principal, current: SessionId | None, *, store: SessionStore, now: datetime) -> int:
    """All of one's own to this tenant but the current one: how many; raises InvalidState for an API key."""
    if by.actor.user_id is None or current is None:
        raise InvalidState("An API key has no sessions", remedy="Sign in as a person.")
    return await store.revoke(by.actor.user_id, now, but=current, tenant_id=by.tenant_id)


async def standing(session_id: SessionId, *, store: SessionStore, now: datetime) -> Session | None:
    """The session with its use remembered, which is written at most once a minute; None when it is over."""
    session = await store.get(session_id)
    if session is None or not session.in_force(now):
        return None
    if now - session.last_used_at >= TOUCH_EVERY:
        session = replace(session, last_used_at=now)
        await store.touch(session)
    return session
