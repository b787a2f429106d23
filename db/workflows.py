"""Changes when workflows are stored or searched in another way."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from db import keyset
from db.models import Workflow as Row
from db.quotas import quotas_told
from db.versions import insert_version
from db.violations import violated
from domain.errors import NotFound
from domain.formats.stored import definition_from_json, definition_to_json
from domain.ids import SplitId, TenantId, VersionId, WorkflowId, encode
from domain.paging import Page, Slice, cut
from domain.versions import Version
from domain.workflows import (
    NameTaken,
    StaleRevision,
    Workflow,
    WorkflowFilter,
    WorkflowOrder,
    WorkflowOrderField,
    WorkflowStatus,
)

_ORDER = {
    WorkflowOrderField.NAME: "name",
    WorkflowOrderField.CREATED_AT: "created_at",
    WorkflowOrderField.UPDATED_AT: "updated_at",
}


class Workflows:
    """Implements `domain.workflows.WorkflowReader` and `WorkflowWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id
        self._here = Q(tenant_id=tenant_id, deleted_at__isnull=True)

    async def by_ids(self, ids: Sequence[WorkflowId]) -> Sequence[Workflow]:
        return [_workflow(row) for row in await Row.filter(self._here, id__in=list(ids))]

    async def by_name(self, name: str) -> Workflow | None:
        row = await Row.get_or_none(self._here, name=name, listed=True)
        return _workflow(row) if row else None

    async def page(self, chosen: WorkflowFilter, order: WorkflowOrder, page: Page) -> Slice[Workflow]:
        field = _ORDER[order.field]
        rows = (
            await Row.filter(self._here, _chosen(chosen), keyset.between(page, order.direction, field))
            .order_by(*keyset.order(page, order.direction, field, "id"))
            .limit(page.limit + 1)
        )
        return cut([_workflow(row) for row in rows], page)

    async def count(self, chosen: WorkflowFilter) -> int:
        return await Row.filter(self._here, _chosen(chosen)).count()

    async def insert(self, workflow: Workflow) -> None:
        try:
            with quotas_told(workflow.created_at):
                await Row.create(
                    id=workflow.id,
                    tenant_id=self._tenant_id,
                    created_at=workflow.created_at,
                    created_by=workflow.created_by,
                    listed=workflow.listed,
                    **_changeable(workflow),
                )
        except IntegrityError as error:
            raise _refusal(error, workflow) from error

    async def save(self, workflow: Workflow, *, expected_revision: int) -> None:
        try:
            saved = await Row.filter(self._here, id=workflow.id, revision=expected_revision).update(
                **_changeable(workflow)
            )
        except IntegrityError as error:
            raise _refusal(error, workflow) from error
        if not saved:
            raise await self._why_not(workflow.id)

    async def publish(self, workflow: Workflow, version: Version, *, expected_revision: int) -> None:
        async with in_transaction():
            # Locked first, so that of two publishers the second sees the first one's revision, not its version.
            await self.lock(workflow.id, expected_revision)
            await insert_version(self._tenant_id, version)
            await self.save(workflow, expected_revision=expected_revision)

    async def lock(self, workflow_id: WorkflowId, expected_revision: int) -> None:
        """Keep the row as it is until the transaction ends; raises StaleRevision, NotFound."""
        if not await Row.filter(self._here, id=workflow_id, revision=expected_revision).select_for_update():
            raise await self._why_not(workflow_id)

    async def _why_not(self, workflow_id: WorkflowId) -> NotFound | StaleRevision:
        row = await Row.get_or_none(self._here, id=workflow_id).only("id", "revision")
        return StaleRevision(row.revision) if row else NotFound("workflow", encode("workflow", workflow_id))


def _chosen(chosen: WorkflowFilter) -> Q:
    condition = Q(listed=True)
    if chosen.search:
        condition &= Q(name__icontains=chosen.search) | Q(description__icontains=chosen.search)
    if chosen.status:
        condition &= Q(status__in=[status.value for status in chosen.status])
    if chosen.category is not None:
        condition &= Q(category=chosen.category)
    if chosen.tags:
        condition &= Q(tags__contains=list(chosen.tags))
    return condition


def _changeable(workflow: Workflow) -> Mapping[str, Any]:
    return {
        "name": workflow.name,
        "description": workflow.description,
        "category": workflow.category,
        "tags": list(workflow.tags),
        "status": workflow.status.value,
        "revision": workflow.revision,
        "draft": definition_to_json(workflow.draft),
        "active_version_id": workflow.active_version_id,
        "authors": list(workflow.authors),
        "updated_at": workflow.updated_at,
        "updated_by": workflow.updated_by,
        "deleted_at": workflow.deleted_at,
    }


def _refusal(error: IntegrityError, workflow: Workflow) -> Exception:
    return NameTaken(workflow.name) if violated(error) == "workflow_name_key" else error


def _workflow(row: Row) -> Workflow:
    return Workflow(
        id=WorkflowId(row.id),
        name=row.name,
        description=row.description,
        category=row.category,
        tags=tuple(row.tags),
        status=WorkflowStatus(row.status),
        revision=row.revision,
        draft=definition_from_json(row.draft),
        active_version_id=_version_id(row.active_version_id),
        split_id=SplitId(row.split_id) if row.split_id else None,
        authors=tuple(row.authors),
        listed=row.listed,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        deleted_at=row.deleted_at,
    )


def _version_id(value: UUID | None) -> VersionId | None:
    return VersionId(value) if value else None
