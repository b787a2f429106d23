"""What callers may do with environments and promotions: authorise, call the use case, give back its value."""

from collections.abc import Sequence

from domain import environments_edit, promotions
from domain.access import Permission
from domain.environments import Environment
from domain.environments_edit import EnvironmentChange
from domain.ids import WorkflowId
from domain.paging import Page, Slice
from domain.promotions import Deployment, Promotion, PromotionRequest
from domain.workflows import Workflow
from resolvers.access import allowed
from resolvers.context import RequestContext


async def every(context: RequestContext) -> Sequence[Environment]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.environments.all()


async def deployments(context: RequestContext, workflow_id: WorkflowId) -> Sequence[Deployment]:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.deployments_of.load(workflow_id)


async def history(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[Promotion]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.promotions.page(workflow_id, page)


async def create(context: RequestContext, name: str, values: EnvironmentChange) -> Environment:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await environments_edit.create(
        name, values, by=given.principal, store=given.stores.environments, now=given.now
    )


async def update(
    context: RequestContext, name: str, change: EnvironmentChange, expected_revision: int | None
) -> Environment:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await environments_edit.update(
        name, change, expected_revision, by=given.principal, store=given.stores.environments, now=given.now
    )


async def reorder(context: RequestContext, names: Sequence[str]) -> Sequence[Environment]:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await environments_edit.reorder(names, store=given.stores.environments)


async def delete(context: RequestContext, name: str) -> str:
    """The name."""
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    await environments_edit.delete(name, store=given.stores.environments, now=given.now)
    return name


async def promote(context: RequestContext, request: PromotionRequest) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await promotions.promote(request, by=given.principal, given=given.promoting, now=given.now)
