"""The caller and their tenant, as the API shows them."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from domain.accounts import Account
from domain.sessions import Identity
from domain.sessions_kept import Session
from domain.tenancy import Tenant
from resolvers import sessions, viewers
from schema.info import Info
from schema.nodes import Node
from schema.sessions import SessionType
from schema.users import UserType


@strawberry.type(name="Tenant", description="Whose workflows these are; its slug stands in webhook addresses.")
class TenantType(Node):
    slug: str
    name: str
    created_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Tenant)


@strawberry.type(description="Who is asking.")
class Viewer:
    role: str

    @strawberry.field(graphql_type=TenantType)
    @staticmethod
    def tenant(root: strawberry.Parent[Identity]) -> Tenant:
        return root.tenant

    @strawberry.field(graphql_type=UserType | None, description="Null for an API key that belongs to nobody.")
    @staticmethod
    async def user(root: strawberry.Parent[Identity], info: Info) -> Account | None:
        return await viewers.user(info.context, root.principal.actor.user_id)

    @strawberry.field(description="The id of the user or API key that is asking.")
    @staticmethod
    def actor_id(root: strawberry.Parent[Identity]) -> strawberry.ID:
        return strawberry.ID(str(root.principal.actor))

    @strawberry.field
    @staticmethod
    def permissions(root: strawberry.Parent[Identity]) -> list[str]:
        return sorted(root.principal.permissions)

    @strawberry.field(description="When the credentials end; streams are closed then.")
    @staticmethod
    def expires_at(root: strawberry.Parent[Identity]) -> datetime | None:
        return root.principal.expires_at

    @strawberry.field(
        graphql_type=list[SessionType], description="One's own, in this tenant, newest first; an API key has none."
    )
    @staticmethod
    async def sessions(root: strawberry.Parent[Identity], info: Info) -> Sequence[Session]:
        return await sessions.own(info.context)


@strawberry.type
class ViewerQuery:
    @strawberry.field(graphql_type=Viewer, description="Who is asking.")
    def viewer(self, info: Info) -> Identity:
        return info.context.identity
