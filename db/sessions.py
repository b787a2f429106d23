"""Changes when sessions or their refresh tokens are stored in another way.

As in `db.identity`, no tenant is known yet.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from db.connections import EnginePool
from domain.ids import SessionId, TenantId, UserId
from domain.sessions_kept import Origin, RefreshToken, Session

_INSERT = """
INSERT INTO session
    (id, tenant_id, account_id, address, user_agent, created_at, last_used_at, expires_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_OF_PERSON = """
SELECT * FROM session WHERE account_id = $1 AND tenant_id = $2 AND revoked_at IS NULL ORDER BY id DESC
"""
_TOUCH = """
UPDATE session SET address = $2, user_agent = $3, last_used_at = greatest(last_used_at, $4),
    expires_at = greatest(expires_at, $5)
WHERE id = $1 AND revoked_at IS NULL
"""
_REVOKE = """
WITH ended AS (
    UPDATE session SET revoked_at = $2
    WHERE account_id = $1 AND revoked_at IS NULL AND id = coalesce($3, id) AND id IS DISTINCT FROM $4
        AND tenant_id = coalesce($5, tenant_id)
    RETURNING id
), tokens AS (
    UPDATE refresh_token SET revoked_at = $2 WHERE family IN (SELECT id FROM ended) AND revoked_at IS NULL
)
SELECT count(*) FROM ended
"""
_INSERT_REFRESH = """
INSERT INTO refresh_token
    (id, tenant_id, account_id, family, secret_hash, created_at, expires_at, used_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_USE_REFRESH = """
UPDATE refresh_token SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL RETURNING id
"""


class Sessions:
    """Implements `domain.sessions_kept.SessionStore`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def insert(self, session: Session) -> None:
        await self._pool.execute(
            _INSERT,
            session.id,
            session.tenant_id,
            session.account_id,
            session.origin.address,
            session.origin.user_agent,
            session.created_at,
            session.last_used_at,
            session.expires_at,
            session.revoked_at,
        )

    async def get(self, session_id: SessionId) -> Session | None:
        row = await self._pool.fetchrow("SELECT * FROM session WHERE id = $1", session_id)
        return _session(row) if row else None

    async def of_person(self, tenant_id: TenantId, user_id: UserId) -> Sequence[Session]:
        return [_session(row) for row in await self._pool.fetch(_OF_PERSON, user_id, tenant_id)]

    async def touch(self, session: Session) -> None:
        origin = session.origin
        await self._pool.execute(
            _TOUCH, session.id, origin.address, origin.user_agent, session.last_used_at, session.expires_at
        )

    async def revoke(
        self,
        user_id: UserId,
        at: datetime,
        *,
        only: SessionId | None = None,
        but: SessionId | None = None,
        tenant_id: TenantId | None = None,
    ) -> int:
        return await self._pool.fetchval(_REVOKE, user_id, at, only, but, tenant_id)


class RefreshTokens:
    """Implements `domain.sessions_kept.RefreshTokenStore`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def insert(self, token: RefreshToken) -> None:
        await self._pool.execute(
            _INSERT_REFRESH,
            token.id,
            token.tenant_id,
            token.account_id,
            token.family,
            token.secret_hash,
            token.created_at,
            token.expires_at,
            token.used_at,
            token.revoked_at,
        )

    async def get(self, token_id: UUID) -> RefreshToken | None:
        row = await self._pool.fetchrow("SELECT * FROM refresh_token WHERE id = $1", token_id)
        return RefreshToken(**dict(row)) if row else None

    async def use(self, token_id: UUID, at: datetime) -> bool:
        return await self._pool.fetchval(_USE_REFRESH, token_id, at) is not None


def _session(row: asyncpg.Record) -> Session:
    fields: dict[str, Any] = dict(row)
    origin = Origin(address=fields.pop("address"), user_agent=fields.pop("user_agent"))
    return Session(origin=origin, **fields)
