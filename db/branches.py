"""Changes when branches of workflows are stored or merged in another way."""

from collections.abc import Mapping, Sequence
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from db import keyset
from db.models import WorkflowBranch as Row
from db.violations import violated
from db.workflows import Workflows
from domain.branches import Branch, BranchNameTaken, StaleBranch
from domain.errors import NotFound
from domain.formats.stored import definition_from_json, definition_to_json
from domain.ids import BranchId, TenantId, WorkflowId, encode
from domain.paging import Direction, Page, Slice, cut
from domain.workflows import Workflow


class Branches:
    """Implements `domain.branches.BranchReader` and `BranchWriter` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id
        self._here = Q(tenant_id=tenant_id, deleted_at__isnull=True)

    async def by_ids(self, ids: Sequence[BranchId]) -> Sequence[Branch]:
        return [_branch(row) for row in await Row.filter(self._here, id__in=list(ids))]

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Branch]:
        rows = (
            await Row.filter(self._here, keyset.between(page, Direction.DESC, "created_at"), workflow_id=workflow_id)
            .order_by(*keyset.order(page, Direction.DESC, "created_at", "id"))
            .limit(page.limit + 1)
        )
        return cut([_branch(row) for row in rows], page)

    async def count(self, workflow_id: WorkflowId) -> int:
        return await Row.filter(self._here, workflow_id=workflow_id).count()

    async def insert(self, branch: Branch) -> None:
        try:
            await Row.create(
                id=branch.id,
                tenant_id=self._tenant_id,
                workflow_id=branch.workflow_id,
                from_version=branch.from_version,
                created_at=branch.created_at,
                created_by=branch.created_by,
                **_changeable(branch),
            )
        except IntegrityError as error:
            raise _refusal(error, branch) from error

    async def save(self, branch: Branch, *, expected_revision: int) -> None:
        try:
            saved = await Row.filter(self._here, id=branch.id, revision=expected_revision).update(**_changeable(branch))
        except IntegrityError as error:
            raise _refusal(error, branch) from error
        if not saved:
            raise await self._why_not(branch.id)

    async def merge(
        self, branch: Branch, workflow: Workflow, *, expected_revision: int, expected_workflow_revision: int
    ) -> None:
        async with in_transaction():
            await Workflows(self._tenant_id).save(workflow, expected_revision=expected_workflow_revision)
            await self.save(branch, expected_revision=expected_revision)

    async def _why_not(self, branch_id: BranchId) -> NotFound | StaleBranch:
        row = await Row.get_or_none(self._here, id=branch_id).only("id", "revision")
        return StaleBranch(row.revision) if row else NotFound("branch", encode("branch", branch_id))


def _changeable(branch: Branch) -> Mapping[str, Any]:
    return {
        "name": branch.name,
        "base": definition_to_json(branch.base),
        "definition": definition_to_json(branch.definition),
        "revision": branch.revision,
        "authors": list(branch.authors),
        "updated_at": branch.updated_at,
        "updated_by": branch.updated_by,
        "merged_at": branch.merged_at,
        "merged_by": branch.merged_by,
        "deleted_at": branch.deleted_at,
    }


def _refusal(error: IntegrityError, branch: Branch) -> Exception:
    return BranchNameTaken(branch.name) if violated(error) == "workflow_branch_name_key" else error


def _branch(row: Row) -> Branch:
    return Branch(
        id=BranchId(row.id),
        workflow_id=WorkflowId(row.workflow_id),
        name=row.name,
        base=definition_from_json(row.base),
        definition=definition_from_json(row.definition),
        from_version=row.from_version,
        revision=row.revision,
        authors=tuple(row.authors),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        merged_at=row.merged_at,
        merged_by=row.merged_by,
        deleted_at=row.deleted_at,
    )
