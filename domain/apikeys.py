"""API keys: `weir_<id>_<secret>`, shown once, stored hashed, narrowed by scopes, ending at a time."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.access import Permission, Role, permissions_of
from domain.errors import InvalidId
from domain.ids import ApiKeyId, TenantId, UserId, decode, encode
from domain.sources import Ids

PREFIX = "weir_"
TOUCH_EVERY = timedelta(minutes=1)

Secret = Callable[[], str]
"""256 random bits as URL-safe base64 without padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`scopes` empty means everything the role allows; `secret_hash` is SHA-256 of the secret part.

    `allowed_ips`: addresses and networks it may be used from, empty for anywhere. `created_by`: TypeID of the actor.
    `replaces`: the key it was rotated from.
    """

    id: ApiKeyId
    tenant_id: TenantId
    account_id: UserId | None = None
    name: str
    role: Role
    scopes: tuple[str, ...] = ()
    secret_hash: bytes
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    allowed_ips: tuple[str, ...] = ()
    created_by: str = ""
    replaces: ApiKeyId | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of(self.role, self.scopes)

    def in_force(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def holds(self, secret: str, now: datetime) -> bool:
        """Whether the secret is this key's and the key is in force; compares in constant time."""
        return hmac.compare_digest(self.secret_hash, digest(secret)) and self.in_force(now)


class ApiKeyStore(Protocol):
    """API keys; used before a principal exists, so not bound to one tenant."""

    async def get(self, key_id: ApiKeyId) -> ApiKey | None: ...

    async def of_tenant(self, tenant_id: TenantId) -> Sequence[ApiKey]: ...

    async def insert(self, key: ApiKey) -> None: ...

    async def touch(self, key_id: ApiKeyId, at: datetime) -> None:
        """Remember the last use."""
        ...

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> None: ...


def digest(secret: str) -> bytes:
    """SHA-256: the secret has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).digest()


def parse(text: str) -> tuple[ApiKeyId, str] | None:
    """Id and secret of a key as it is sent; None when the text has another shape.

    The id is the 26 characters of its TypeID, so that the key reads `weir_01j…_…`.
    """
    if not text.startswith(PREFIX):
        return None
    identity, separator, secret = text.removeprefix(PREFIX).partition("_")
    if not separator or not secret:
        return None
    try:
        return ApiKeyId(decode("apikey", f"apikey_{identity}")), secret
    except InvalidId:
        return None


def spell(key_id: UUID, secret: str) -> str:
    """The key as its owner keeps it."""
    return f"{PREFIX}{encode('apikey', key_id).removeprefix('apikey_')}_{secret}"


async def create(
    *,
    tenant_id: TenantId,
    name: str,
    role: Role,
    scopes: Sequence[Permission] = (),
    account_id: UserId | None = None,
    expires_at: datetime | None = None,
    store: ApiKeyStore,
    ids: Ids,
    secret: Secret,
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key and, this once, its text."""
    text = secret()
    key = ApiKey(
        id=ApiKeyId(ids()),
        tenant_id=tenant_id,
        account_id=account_id,
        name=name,
        role=role,
        scopes=tuple(scope.value for scope in scopes),
        secret_hash=digest(text),
        created_at=now,
        expires_at=expires_at,
    )
    await store.insert(key)
    return key, spell(key.id, text)
