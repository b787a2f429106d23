"""Who the caller is, as themselves: nobody else's account is shown here."""

from domain.accounts import Account
from domain.ids import TenantId, UserId
from domain.tenancy import Tenant
from resolvers.context import RequestContext


async def user(context: RequestContext, user_id: UserId | None) -> Account | None:
    """The caller's own account; None for anybody else's, and for an API key that belongs to nobody."""
    own = context.principal.actor.user_id
    return await context.services.accounts.get(own) if own is not None and own == user_id else None


async def tenant(context: RequestContext, tenant_id: TenantId) -> Tenant | None:
    return context.tenant if context.tenant.id == tenant_id else None
