"""What callers may know of limits: authorise, and give back the value."""

from domain.access import Permission
from domain.ids import ExecutionId
from domain.limits import QueuePlace
from resolvers.access import allowed
from resolvers.context import RequestContext


async def place(context: RequestContext, execution_id: ExecutionId) -> QueuePlace | None:
    """None for what waits for no limit and no worker."""
    return await allowed(context, Permission.EXECUTION_READ).loaders.queue_place.load(execution_id)
