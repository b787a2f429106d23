"""What callers may do with branches: authorise, call the use case, give back its value."""

from collections.abc import Sequence

from domain import branches_edit, branches_merge
from domain.access import Permission
from domain.branches import Branch
from domain.branches_conflicts import MergeConflict
from domain.branches_edit import BranchChange, NewBranch
from domain.branches_merge import MergeRequest
from domain.ids import BranchId, WorkflowId
from domain.paging import Page, Slice
from domain.workflows import Workflow
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, branch_id: BranchId) -> Branch | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.branch.load(branch_id)


async def page(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[Branch]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.branches.page(workflow_id, page)


async def count(context: RequestContext, workflow_id: WorkflowId) -> int:
    return await allowed(context, Permission.WORKFLOW_READ).stores.branches.count(workflow_id)


async def conflicts(context: RequestContext, branch: Branch) -> Sequence[MergeConflict]:
    workflow = await allowed(context, Permission.WORKFLOW_READ).loaders.workflow.load(branch.workflow_id)
    return branches_merge.conflicts_of(branch, workflow) if workflow is not None else ()


async def create(context: RequestContext, new: NewBranch) -> Branch:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await branches_edit.create(
        new,
        by=given.principal,
        writer=given.stores.branch_writer,
        workflows=given.stores.workflows,
        versions=given.stores.versions,
        ids=given.services.ids,
        now=given.now,
    )


async def update(
    context: RequestContext, branch_id: BranchId, change: BranchChange, expected_revision: int | None
) -> Branch:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await branches_edit.update(
        branch_id,
        change,
        expected_revision,
        by=given.principal,
        reader=given.stores.branches,
        writer=given.stores.branch_writer,
        catalog=given.services.catalog,
        now=given.now,
    )


async def delete(context: RequestContext, branch_id: BranchId, expected_revision: int | None) -> Branch:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await branches_edit.delete(
        branch_id,
        expected_revision,
        by=given.principal,
        reader=given.stores.branches,
        writer=given.stores.branch_writer,
        now=given.now,
    )


async def merge(context: RequestContext, asked: MergeRequest) -> tuple[Branch, Workflow]:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await branches_merge.merge_branch(
        asked,
        by=given.principal,
        reader=given.stores.branches,
        writer=given.stores.branch_writer,
        workflows=given.stores.workflows,
        catalog=given.services.catalog,
        now=given.now,
    )
