"""What callers may do with their own sessions and password: nobody needs a permission for that."""

from collections.abc import Sequence

from domain import accounts_password, sessions_kept
from domain.accounts import Account
from domain.ids import SessionId
from domain.sessions_kept import Session
from resolvers.context import RequestContext


async def own(context: RequestContext) -> Sequence[Session]:
    return await sessions_kept.own(context.principal, store=context.services.sessions, now=context.now)


async def revoke(context: RequestContext, session_id: SessionId) -> Session:
    return await sessions_kept.revoke(
        session_id, by=context.principal, store=context.services.sessions, now=context.now
    )


async def revoke_others(context: RequestContext) -> int:
    return await sessions_kept.revoke_others(
        context.principal, context.identity.session_id, store=context.services.sessions, now=context.now
    )


async def set_password(context: RequestContext, current: str, new: str) -> Account:
    return await accounts_password.change(
        current,
        new,
        by=context.principal,
        session=context.identity.session_id,
        given=context.securing,
        now=context.now,
    )
