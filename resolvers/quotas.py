"""What callers may know of quotas: authorise, and give back the values."""

from collections.abc import Sequence

from domain.access import Permission
from domain.quotas import QuotaState
from resolvers.access import allowed
from resolvers.context import RequestContext


async def states(context: RequestContext) -> Sequence[QuotaState]:
    return await allowed(context, Permission.EXECUTION_READ).stores.quotas.states(context.now)
