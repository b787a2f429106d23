"""Tenants, and the principal on whose behalf a request acts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.access import Permission
from domain.ids import TenantId, UserId, encode
from domain.json import JSON, JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`slug` stands in webhook addresses; a suspended tenant can do nothing."""

    id: TenantId
    slug: str
    name: str
    created_at: datetime
    suspended_at: datetime | None = None
    settings: JSONObject = field(default_factory=dict[str, JSON])


class ActorKind(StrEnum):
    USER = "user"
    API_KEY = "apikey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a person, or an API key (`user_id` is then the person it belongs to, if any)."""

    kind: ActorKind
    id: UUID
    user_id: UserId | None = None

    @property
    def person(self) -> str:
        """The TypeID of the person who acts, whichever key they hold; that of the key if it belongs to nobody."""
        return str(self) if self.user_id is None else encode(ActorKind.USER.value, self.user_id)

    def __str__(self) -> str:
        return encode(self.kind.value, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who, for which tenant, with which permissions, until when (None: as long as the connection lasts)."""

    tenant_id: TenantId
    actor: Actor
    permissions: frozenset[Permission]
    expires_at: datetime | None = None


class TenantStore(Protocol):
    """Tenants by id or slug; used before a principal exists, so not bound to one tenant."""

    async def get(self, tenant_id: TenantId) -> Tenant | None: ...

    async def by_slug(self, slug: str) -> Tenant | None: ...

    async def by_ids(self, ids: Sequence[TenantId]) -> Sequence[Tenant]: ...

    async def insert(self, tenant: Tenant) -> None:
        """Raises Conflict when the slug is taken."""
        ...
