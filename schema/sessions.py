"""One's own sessions and password, as the API shows and changes them."""

from datetime import datetime
from typing import Any

import strawberry

from domain.accounts import Account
from domain.ids import SessionId, decode, encode
from domain.sessions_kept import Session
from resolvers import sessions
from schema.errors import Answer, Payload, answer
from schema.info import Info
from schema.users import UserType


@strawberry.type(name="Session", description="One sign-in, with all that was refreshed from it.")
class SessionType:
    created_at: datetime
    last_used_at: datetime = strawberry.field(description="To a minute.")
    expires_at: datetime = strawberry.field(description="If it is not refreshed until then.")

    @strawberry.field
    @staticmethod
    def id(root: strawberry.Parent[Session]) -> strawberry.ID:
        return strawberry.ID(encode("session", root.id))

    @strawberry.field(description="The IP address it was last refreshed from.")
    @staticmethod
    def address(root: strawberry.Parent[Session]) -> str | None:
        return root.origin.address

    @strawberry.field(description="What the program that last refreshed it calls itself.")
    @staticmethod
    def user_agent(root: strawberry.Parent[Session]) -> str | None:
        return root.origin.user_agent

    @strawberry.field(description="Whether this is asked through it.")
    @staticmethod
    def current(root: strawberry.Parent[Session], info: Info) -> bool:
        return root.id == info.context.identity.session_id

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Session)


@strawberry.type
class SessionRevokePayload(Payload):
    @strawberry.field(graphql_type=SessionType | None)
    @staticmethod
    def session(root: strawberry.Parent[Answer[Any]]) -> Session | None:
        return root.value


@strawberry.type
class SessionRevokeOthersPayload(Payload):
    @strawberry.field(description="How many were ended.")
    @staticmethod
    def count(root: strawberry.Parent[Answer[Any]]) -> int | None:
        return root.value


@strawberry.type
class ViewerSetPasswordPayload(Payload):
    @strawberry.field(graphql_type=UserType | None)
    @staticmethod
    def user(root: strawberry.Parent[Answer[Any]]) -> Account | None:
        return root.value


@strawberry.type
class SessionMutation:
    @strawberry.mutation(
        graphql_type=SessionRevokePayload,
        description="Ends one of one's own sessions, this one too if asked; its tokens hold a few seconds at most.",
    )
    async def session_revoke(self, info: Info, id: strawberry.ID) -> Answer[Session]:
        async def work() -> Session:
            return await sessions.revoke(info.context, SessionId(decode("session", id)))

        return await answer(work())

    @strawberry.mutation(
        graphql_type=SessionRevokeOthersPayload, description="Ends all of one's own sessions here but this one."
    )
    async def session_revoke_others(self, info: Info) -> Answer[int]:
        return await answer(sessions.revoke_others(info.context))

    @strawberry.mutation(
        graphql_type=ViewerSetPasswordPayload,
        description="Another password for oneself; ends all other sessions, in every tenant.",
    )
    async def viewer_set_password(self, info: Info, current: str, new: str) -> Answer[Account]:
        return await answer(sessions.set_password(info.context, current, new))
