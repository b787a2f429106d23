"""What callers may do about publishing by two people: authorise, call the use case, give back its value."""

from domain import publish_requests_decide, publish_rules
from domain.access import Permission
from domain.ids import PublishRequestId, WorkflowId
from domain.paging import Page, Slice
from domain.publish_requests import PublishRequest, PublishRequestFilter
from domain.publish_requests_decide import Approval
from domain.publish_rules import PublishRule
from domain.workflows_publish import Publication
from resolvers.access import allowed
from resolvers.context import RequestContext


async def rule_of(context: RequestContext, workflow_id: WorkflowId) -> PublishRule:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.publish_rule.load(workflow_id)


async def tenant_rule(context: RequestContext) -> PublishRule:
    return await allowed(context, Permission.WORKFLOW_READ).stores.publish_rules.of_tenant()


async def set_rule(
    context: RequestContext, workflow_id: WorkflowId, needs_approval: bool | None, signature: bool | None
) -> PublishRule:
    given = allowed(context, Permission.TENANT_MANAGE)
    return await publish_rules.set_for_workflow(
        workflow_id,
        needs_approval,
        signature,
        by=given.principal,
        rules=given.stores.publish_rules,
        workflows=given.stores.workflows,
        ids=given.services.ids,
        now=given.now,
    )


async def set_tenant_rule(context: RequestContext, needs_approval: bool, signature: bool) -> PublishRule:
    given = allowed(context, Permission.TENANT_MANAGE)
    return await publish_rules.set_for_tenant(
        needs_approval,
        signature,
        by=given.principal,
        rules=given.stores.publish_rules,
        ids=given.services.ids,
        now=given.now,
    )


async def request(context: RequestContext, request_id: PublishRequestId) -> PublishRequest | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.publish_request.load(request_id)


async def open_request(context: RequestContext, workflow_id: WorkflowId) -> PublishRequest | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.open_publish_request.load(workflow_id)


async def page(context: RequestContext, chosen: PublishRequestFilter, page: Page) -> Slice[PublishRequest]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.publish_requests.page(chosen, page)


async def count(context: RequestContext, chosen: PublishRequestFilter) -> int:
    return await allowed(context, Permission.WORKFLOW_READ).stores.publish_requests.count(chosen)


async def approve(context: RequestContext, request_id: PublishRequestId, approval: Approval) -> Publication:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await publish_requests_decide.approve(
        request_id, approval, by=given.principal, given=given.publishing, now=given.now
    )


async def decline(context: RequestContext, request_id: PublishRequestId, comment: str | None) -> PublishRequest:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await publish_requests_decide.decline(
        request_id,
        comment,
        by=given.principal,
        reader=given.stores.publish_requests,
        writer=given.stores.publish_request_writer,
        now=given.now,
    )


async def withdraw(context: RequestContext, request_id: PublishRequestId) -> PublishRequest:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await publish_requests_decide.withdraw(
        request_id,
        by=given.principal,
        reader=given.stores.publish_requests,
        writer=given.stores.publish_request_writer,
        now=given.now,
    )
