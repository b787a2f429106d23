"""Changes when tenants, accounts, memberships or API keys are stored in another way.

The one place where serving a request uses the engine role: who signs in, by which key and for which tenant, is asked
before a tenant is known. What is read here goes to the domain's sign-in and tenancy use cases, never into a list.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from db.connections import EnginePool
from domain.access import Role
from domain.accounts import Account, Membership
from domain.apikeys import ApiKey
from domain.errors import Conflict
from domain.ids import ApiKeyId, TenantId, UserId
from domain.tenancy import Tenant

_TENANT = "SELECT id, slug, name, settings::text AS settings, created_at, suspended_at FROM tenant WHERE "
_MEMBERSHIPS = """
SELECT tenant.id, slug, name, settings::text AS settings, tenant.created_at, suspended_at, membership.role
FROM membership JOIN tenant ON tenant.id = membership.tenant_id
WHERE membership.account_id = $1 ORDER BY membership.created_at, tenant.id
"""
_JOIN = """
INSERT INTO membership (tenant_id, account_id, role, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, account_id) DO UPDATE SET role = excluded.role
"""
_REHASH = "UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2 RETURNING id"
_INSERT_KEY = """
INSERT INTO api_key
    (id, tenant_id, account_id, name, role, scopes, secret_hash, created_at, expires_at, last_used_at, revoked_at,
    allowed_ips, created_by, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


class Tenants:
    """Implements `domain.tenancy.TenantStore`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def get(self, tenant_id: TenantId) -> Tenant | None:
        return next(iter(await self.by_ids([tenant_id])), None)

    async def by_slug(self, slug: str) -> Tenant | None:
        row = await self._pool.fetchrow(_TENANT + "slug = $1", slug)
        return _tenant(row) if row else None

    async def by_ids(self, ids: Sequence[TenantId]) -> Sequence[Tenant]:
        rows = await self._pool.fetch(_TENANT + "id = ANY($1::uuid[])", list(ids))
        return [_tenant(row) for row in rows]

    async def insert(self, tenant: Tenant) -> None:
        try:
            await self._pool.execute(
                "INSERT INTO tenant (id, slug, name, settings, created_at, suspended_at)"
                " VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)",
                tenant.id,
                tenant.slug,
                tenant.name,
                orjson.dumps(tenant.settings).decode(),
                tenant.created_at,
                tenant.suspended_at,
            )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "tenant_slug_key":
                raise
            raise Conflict(
                f"There is already a tenant {tenant.slug!r}", path=("slug",), remedy="Choose another slug."
            ) from error


class Accounts:
    """Implements `domain.accounts.AccountStore`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def get(self, user_id: UserId) -> Account | None:
        return _account(await self._pool.fetchrow("SELECT * FROM account WHERE id = $1", user_id))

    async def by_email(self, email: str) -> Account | None:
        return _account(await self._pool.fetchrow("SELECT * FROM account WHERE email = $1", email))

    async def memberships(self, user_id: UserId) -> Sequence[Membership]:
        rows = await self._pool.fetch(_MEMBERSHIPS, user_id)
        return [Membership(tenant=_tenant(row), user_id=user_id, role=Role(row["role"])) for row in rows]

    async def insert(self, account: Account) -> None:
        try:
            await self._pool.execute(
                "INSERT INTO account (id, email, name, password_hash, created_at, deactivated_at)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                account.id,
                account.email,
                account.name,
                account.password_hash,
                account.created_at,
                account.deactivated_at,
            )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "account_email_key":
                raise
            raise Conflict(
                f"There is already an account for {account.email}",
                path=("email",),
                remedy="Sign in with it, or use another address.",
            ) from error

    async def join(self, tenant_id: TenantId, user_id: UserId, role: Role, at: datetime) -> None:
        await self._pool.execute(_JOIN, tenant_id, user_id, role.value, at)

    async def set_password(self, user_id: UserId, old: str, new: str) -> bool:
        return await self._pool.fetchval(_REHASH, user_id, old, new) is not None


class ApiKeys:
    """Implements `domain.apikeys.ApiKeyStore`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def get(self, key_id: ApiKeyId) -> ApiKey | None:
        row = await self._pool.fetchrow("SELECT * FROM api_key WHERE id = $1", key_id)
        return _api_key(row) if row else None

    async def of_tenant(self, tenant_id: TenantId) -> Sequence[ApiKey]:
        rows = await self._pool.fetch("SELECT * FROM api_key WHERE tenant_id = $1 ORDER BY id", tenant_id)
        return [_api_key(row) for row in rows]

    async def insert(self, key: ApiKey) -> None:
        await self._pool.execute(
            _INSERT_KEY,
            key.id,
            key.tenant_id,
            key.account_id,
            key.name,
            key.role.value,
            list(key.scopes),
            key.secret_hash,
            key.created_at,
            key.expires_at,
            key.last_used_at,
            key.revoked_at,
            list(key.allowed_ips),
            key.created_by,
            key.replaces,
        )

    async def touch(self, key_id: ApiKeyId, at: datetime) -> None:
        await self._pool.execute("UPDATE api_key SET last_used_at = $2 WHERE id = $1", key_id, at)

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> None:
        await self._pool.execute("UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", key_id, at)


def _tenant(row: asyncpg.Record) -> Tenant:
    return Tenant(
        id=TenantId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        created_at=row["created_at"],
        suspended_at=row["suspended_at"],
        settings=orjson.loads(row["settings"]),
    )


def _account(row: asyncpg.Record | None) -> Account | None:
    return Account(**dict(row)) if row else None


def _api_key(row: asyncpg.Record) -> ApiKey:
    fields: dict[str, Any] = dict(row)
    fields["role"], fields["scopes"] = Role(row["role"]), tuple(row["scopes"])
    fields["allowed_ips"] = tuple(row["allowed_ips"])
    return ApiKey(**fields)
