"""Changes when what an administrator sees or changes of API keys is stored in another way."""

from collections.abc import Sequence
from datetime import datetime

from db.models import ApiKey as Row
from db.statements import fetch
from domain.access import Role
from domain.apikeys import ApiKey
from domain.ids import ApiKeyId, TenantId, UserId

_INTO = """
INSERT INTO api_key
    (id, tenant_id, account_id, name, role, scopes, secret_hash, created_at, expires_at, allowed_ips, created_by,
    replaces)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
"""
_ENDING = """
WITH ending AS (
    UPDATE api_key SET expires_at = least(expires_at, $14)
    WHERE tenant_id = $2 AND id = $13 AND revoked_at IS NULL
    RETURNING id
)
"""
_INSERT = _INTO + "RETURNING id"
_ROTATE = _ENDING + _INTO + "FROM ending RETURNING id"
_REVOKE = "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id = $1 AND id = $2 RETURNING id"


class TenantApiKeys:
    """Implements `domain.apikeys_edit.ApiKeyAdmin` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def all(self) -> Sequence[ApiKey]:
        return [_key(row) for row in await Row.filter(tenant_id=self._tenant_id).order_by("-id")]

    async def get(self, key_id: ApiKeyId) -> ApiKey | None:
        row = await Row.get_or_none(tenant_id=self._tenant_id, id=key_id)
        return _key(row) if row is not None else None

    async def insert(self, key: ApiKey) -> None:
        await fetch(_INSERT, *_values(key))

    async def rotate(self, old: ApiKeyId, ends: datetime, new: ApiKey) -> bool:
        return bool(await fetch(_ROTATE, *_values(new), old, ends))

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> ApiKey | None:
        revoked = await fetch(_REVOKE, self._tenant_id, key_id, at)
        return await self.get(key_id) if revoked else None


def _values(key: ApiKey) -> tuple[object, ...]:
    return (
        key.id,
        key.tenant_id,
        key.account_id,
        key.name,
        key.role.value,
        list(key.scopes),
        key.secret_hash,
        key.created_at,
        key.expires_at,
        list(key.allowed_ips),
        key.created_by,
        key.replaces,
    )


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=ApiKeyId(row.id),
        tenant_id=TenantId(row.tenant_id),
        account_id=UserId(row.account_id) if row.account_id is not None else None,
        name=row.name,
        role=Role(row.role),
        scopes=tuple(row.scopes),
        secret_hash=row.secret_hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        allowed_ips=tuple(row.allowed_ips),
        created_by=row.created_by,
        replaces=ApiKeyId(row.replaces) if row.replaces is not None else None,
    )
