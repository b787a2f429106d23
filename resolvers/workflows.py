"""What callers may do with workflows: authorise, call the use case, give back its value."""

from collections.abc import Collection, Sequence

from domain import workflows_check, workflows_edit, workflows_import, workflows_publish
from domain.access import Permission
from domain.connections import ConnectionReader
from domain.errors import Finding, ValidationLevel
from domain.formats import Format
from domain.graphs import Definition
from domain.ids import VersionId, WorkflowId
from domain.paging import Page, Slice
from domain.triggers import Trigger
from domain.validation import LEVELS
from domain.versions import Version
from domain.workflows import Workflow, WorkflowFilter, WorkflowOrder, WorkflowStatus
from domain.workflows_edit import NewWorkflow, WorkflowChange
from domain.workflows_import import Imported
from domain.workflows_publish import Publication
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, workflow_id: WorkflowId) -> Workflow | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.workflow.load(workflow_id)


async def by_name(context: RequestContext, name: str) -> Workflow | None:
    return await allowed(context, Permission.WORKFLOW_READ).stores.workflows.by_name(name)


async def page(context: RequestContext, chosen: WorkflowFilter, order: WorkflowOrder, page: Page) -> Slice[Workflow]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.workflows.page(chosen, order, page)


async def count(context: RequestContext, chosen: WorkflowFilter) -> int:
    return await allowed(context, Permission.WORKFLOW_READ).stores.workflows.count(chosen)


async def version(context: RequestContext, version_id: VersionId) -> Version | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.version.load(version_id)


async def versions(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[Version]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.versions.page(workflow_id, page)


async def triggers(context: RequestContext, workflow_id: WorkflowId) -> Sequence[Trigger]:
    return await allowed(context, Permission.TRIGGER_READ).loaders.triggers_of.load(workflow_id)


async def create(context: RequestContext, new: NewWorkflow) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await workflows_edit.create(
        new,
        by=given.principal,
        writer=given.stores.workflow_writer,
        catalog=given.services.catalog,
        ids=given.services.ids,
        now=given.now,
    )


async def duplicate(context: RequestContext, workflow_id: WorkflowId, name: str | None) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await workflows_edit.duplicate(
        workflow_id,
        name,
        by=given.principal,
        reader=given.stores.workflows,
        writer=given.stores.workflow_writer,
        catalog=given.services.catalog,
        ids=given.services.ids,
        now=given.now,
    )


async def update(
    context: RequestContext, workflow_id: WorkflowId, change: WorkflowChange, expected_revision: int | None
) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await workflows_edit.update(
        workflow_id,
        change,
        expected_revision,
        by=given.principal,
        reader=given.stores.workflows,
        writer=given.stores.workflow_writer,
        catalog=given.services.catalog,
        now=given.now,
    )


async def delete(context: RequestContext, workflow_id: WorkflowId) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_DELETE)
    return await workflows_edit.delete(
        workflow_id,
        by=given.principal,
        reader=given.stores.workflows,
        writer=given.stores.workflow_writer,
        now=given.now,
    )


async def publish(context: RequestContext, workflow_id: WorkflowId, note: str) -> Publication:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await workflows_publish.publish(workflow_id, note, by=given.principal, given=given.publishing, now=given.now)


async def roll_back(context: RequestContext, workflow_id: WorkflowId, number: int) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await workflows_publish.roll_back(
        workflow_id,
        number,
        by=given.principal,
        reader=given.stores.workflows,
        writer=given.stores.workflow_writer,
        versions=given.stores.versions,
        now=given.now,
    )


async def set_status(context: RequestContext, workflow_id: WorkflowId, status: WorkflowStatus) -> Workflow:
    given = allowed(context, Permission.WORKFLOW_PUBLISH)
    return await workflows_publish.set_status(
        workflow_id,
        status,
        by=given.principal,
        reader=given.stores.workflows,
        writer=given.stores.workflow_writer,
        now=given.now,
    )


async def import_document(context: RequestContext, file_format: Format, document: str, name: str | None) -> Imported:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await workflows_import.import_document(
        file_format,
        document,
        name,
        by=given.principal,
        writer=given.stores.workflow_writer,
        triggers=given.stores.triggers,
        workflows=given.stores.workflows,
        connections=_connections(given),
        catalog=given.services.catalog,
        ids=given.services.ids,
        now=given.now,
    )


async def validate(
    context: RequestContext,
    definition: Definition,
    *,
    levels: Collection[ValidationLevel] = LEVELS,
    whole: bool = True,
) -> Sequence[Finding]:
    given = allowed(context, Permission.WORKFLOW_READ)
    return await workflows_check.all_findings(
        definition, given.services.catalog, _connections(given), levels=levels, whole=whole
    )


def _connections(given: RequestContext) -> ConnectionReader | None:
    """None for who may not see which connections there are."""
    return given.stores.connections if Permission.CONNECTION_READ in given.principal.permissions else None
