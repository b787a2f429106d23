"""API keys, as administrators see and change them."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from domain.access import Role
from domain.apikeys import ApiKey
from domain.apikeys_edit import MadeKey, NewKey
from domain.ids import ApiKeyId, encode
from resolvers import apikeys
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info

_DAY = 86_400.0


@strawberry.enum(name="ApiKeyRole", description="What a key is allowed before its scopes narrow that.")
class ApiKeyRole(Enum):
    ADMIN = Role.ADMIN
    DEVELOPER = Role.DEVELOPER
    SERVICE = Role.SERVICE
    VIEWER = Role.VIEWER


@strawberry.enum
class ApiKeyStatus(Enum):
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@strawberry.type(name="ApiKey", description="What a program signs in with. Its secret is shown once and kept hashed.")
class ApiKeyType:
    name: str
    scopes: list[str] = strawberry.field(description="Narrow what the role allows; none narrow nothing.")
    allowed_ips: list[str] = strawberry.field(description="Networks it may be used from; none means anywhere.")
    created_at: datetime
    created_by: str = strawberry.field(description="The id of the user or key; empty for the installation itself.")
    expires_at: datetime | None
    last_used_at: datetime | None = strawberry.field(description="To the minute.")
    revoked_at: datetime | None

    @strawberry.field
    @staticmethod
    def id(root: strawberry.Parent[ApiKey]) -> strawberry.ID:
        return strawberry.ID(encode("apikey", root.id))

    @strawberry.field
    @staticmethod
    def role(root: strawberry.Parent[ApiKey]) -> ApiKeyRole:
        return ApiKeyRole(root.role)

    @strawberry.field(description="What it may do: the role, narrowed by the scopes.")
    @staticmethod
    def permissions(root: strawberry.Parent[ApiKey]) -> list[str]:
        return sorted(root.permissions)

    @strawberry.field
    @staticmethod
    def status(root: strawberry.Parent[ApiKey], info: Info) -> ApiKeyStatus:
        if root.revoked_at is not None:
            return ApiKeyStatus.REVOKED
        return ApiKeyStatus.ACTIVE if root.in_force(info.context.now) else ApiKeyStatus.EXPIRED

    @strawberry.field(description="The key it took the place of.")
    @staticmethod
    def replaces(root: strawberry.Parent[ApiKey]) -> strawberry.ID | None:
        return strawberry.ID(encode("apikey", root.replaces)) if root.replaces is not None else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, ApiKey)


@strawberry.input
class ApiKeyCreateInput:
    name: str
    role: ApiKeyRole = ApiKeyRole.SERVICE
    scopes: list[str] | None = strawberry.field(default=None, description="Permissions, as in viewer.permissions.")
    expires_at: datetime | None = None
    allowed_ips: list[str] | None = strawberry.field(
        default=None, description="Addresses and networks, as 192.0.2.0/24."
    )

    def key(self) -> NewKey:
        return NewKey(
            name=self.name,
            role=self.role.value,
            scopes=self.scopes or (),
            expires_at=self.expires_at,
            allowed_ips=self.allowed_ips or (),
        )


@strawberry.type
class ApiKeyMadePayload(Payload):
    @strawberry.field(graphql_type=ApiKeyType | None)
    @staticmethod
    def api_key(root: strawberry.Parent[Answer[Any]]) -> ApiKey | None:
        return root.value.key if root.value is not None else None

    @strawberry.field(description="The key itself, shown this once.")
    @staticmethod
    def secret(root: strawberry.Parent[Answer[Any]]) -> str | None:
        return root.value.text if root.value is not None else None


@strawberry.type
class ApiKeyCreatePayload(ApiKeyMadePayload):
    pass


@strawberry.type
class ApiKeyRotatePayload(ApiKeyMadePayload):
    pass


@strawberry.type
class ApiKeyRevokePayload(Payload):
    @strawberry.field(graphql_type=ApiKeyType | None)
    @staticmethod
    def api_key(root: strawberry.Parent[Answer[Any]]) -> ApiKey | None:
        return root.value


@strawberry.type
class ApiKeyQuery:
    @strawberry.field(graphql_type=list[ApiKeyType], description="Newest first.")
    async def api_keys(self, info: Info, include_over: bool = False) -> Sequence[ApiKey]:
        return await apikeys.every(info.context, over=include_over)


@strawberry.type
class ApiKeyMutation:
    @strawberry.mutation(graphql_type=ApiKeyCreatePayload, description="A key that may do no more than its maker.")
    async def api_key_create(self, info: Info, input: ApiKeyCreateInput) -> Answer[MadeKey]:
        return await answer(apikeys.create(info.context, input.key()))

    @strawberry.mutation(
        graphql_type=ApiKeyRotatePayload,
        description="A key like that one takes its place; both hold for `overlap` seconds, a day if not said.",
    )
    async def api_key_rotate(
        self, info: Info, id: strawberry.ID, overlap: float = _DAY, expires_at: datetime | None = None
    ) -> Answer[MadeKey]:
        async def work() -> MadeKey:
            return await apikeys.rotate(info.context, _id(id), overlap, expires_at)

        return await answer(work())

    @strawberry.mutation(graphql_type=ApiKeyRevokePayload, description="It is over, everywhere within five seconds.")
    async def api_key_revoke(self, info: Info, id: strawberry.ID) -> Answer[ApiKey]:
        async def work() -> ApiKey:
            return await apikeys.revoke(info.context, _id(id))

        return await answer(work())


def _id(text: str) -> ApiKeyId:
    return ApiKeyId(read_id("apikey", text, "id"))
