"""What callers may do with splits: authorise, call the use case, give back its value."""

from collections.abc import Sequence

from domain import splits_run
from domain.access import Permission
from domain.ids import SplitId, WorkflowId
from domain.paging import Page, Slice
from domain.splits import Measured, Split
from domain.splits_run import SplitRequest
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, split_id: SplitId) -> Split | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.split.load(split_id)


async def page(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[Split]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.splits.page(workflow_id, page)


async def measured(context: RequestContext, split: Split) -> Sequence[Measured]:
    return await allowed(context, Permission.EXECUTION_READ).stores.splits.measured(split)


async def begin(context: RequestContext, request: SplitRequest) -> Split:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await splits_run.begin(request, by=given.principal, given=given.splitting, now=given.now)


async def change(context: RequestContext, split_id: SplitId, percent: int) -> Split:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await splits_run.change(split_id, percent, store=given.stores.splits)


async def end(context: RequestContext, split_id: SplitId, version: int, note: str) -> Split:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await splits_run.end(split_id, version, note, by=given.principal, given=given.splitting, now=given.now)
