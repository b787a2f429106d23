"""Which states of workflows callers may compare: authorise, call the use case, give back its value."""

from domain import workflows_compare
from domain.access import Permission
from domain.graph_diff import Diff, diff
from domain.graphs import Definition
from domain.ids import VersionId, WorkflowId
from domain.publish_requests import PublishRequest, PublishRequestStatus
from domain.versions import Version
from domain.workflows_compare import State
from resolvers.access import allowed
from resolvers.context import RequestContext


async def compare(context: RequestContext, workflow_id: WorkflowId, before: State, after: State) -> Diff:
    given = allowed(context, Permission.WORKFLOW_READ)
    return await workflows_compare.compare(
        workflow_id,
        before,
        after,
        workflows=given.stores.workflows,
        versions=given.stores.versions,
        branches=given.stores.branches,
    )


async def to_predecessor(context: RequestContext, version: Version) -> Diff | None:
    """From the version published before it; None for the first, and for what was never published."""
    if version.number is None or version.number == 1:
        return None
    loaders = allowed(context, Permission.WORKFLOW_READ).loaders
    before = await loaders.version_number.load((version.workflow_id, version.number - 1))
    return diff(before.definition, version.definition) if before is not None else None


async def of_request(context: RequestContext, request: PublishRequest) -> Diff | None:
    """From what is active, for a request that is open, else from what was active when it was made."""
    loaders = allowed(context, Permission.WORKFLOW_READ).loaders
    active: VersionId | None = request.previous_id
    if request.status is PublishRequestStatus.OPEN:
        workflow = await loaders.workflow.load(request.workflow_id)
        active = workflow.active_version_id if workflow is not None else None
    before = await loaders.version.load(active) if active is not None else None
    after = await loaders.version.load(request.candidate_id)
    return diff(before.definition if before is not None else Definition(), after.definition) if after else None
