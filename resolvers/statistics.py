"""What callers may know of how workflows have gone: authorise, ask the loader, give back its value."""

from domain.access import Permission
from domain.ids import WorkflowId
from domain.statistics import Statistics, StatisticsPeriod, window_of
from resolvers.access import allowed
from resolvers.context import RequestContext


async def of_workflow(context: RequestContext, workflow_id: WorkflowId, period: StatisticsPeriod) -> Statistics:
    given = allowed(context, Permission.EXECUTION_READ)
    return await given.loaders.statistics.load((workflow_id, window_of(period, given.now)))
