"""Changes when versions of workflows are stored or read in another way."""

from collections.abc import Sequence

import orjson
from tortoise.expressions import Q

from db import keyset
from db.models import WorkflowVersion as Row
from db.statements import fetch
from domain.formats.stored import definition_from_json, definition_to_json
from domain.ids import TenantId, VersionId, WorkflowId
from domain.paging import Direction, Page, Slice, cut
from domain.versions import Version

_KEEP = """
INSERT INTO workflow_version
    (id, tenant_id, workflow_id, content_hash, definition, note, created_at, created_by)
VALUES ($1, $2, $3, $4, $5::text::json, $6, $7, $8)
ON CONFLICT (workflow_id, content_hash) WHERE number IS NULL DO NOTHING
"""
_KEPT = """
SELECT id FROM workflow_version
WHERE tenant_id = $1 AND workflow_id = $2 AND content_hash = $3 AND number IS NULL
"""


class Versions:
    """Implements `domain.versions.VersionStore` and `VersionHistory` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[VersionId]) -> Sequence[Version]:
        return [_version(row) for row in await Row.filter(tenant_id=self._tenant_id, id__in=list(ids))]

    async def by_number(self, workflow_id: WorkflowId, number: int) -> Version | None:
        row = await Row.get_or_none(tenant_id=self._tenant_id, workflow_id=workflow_id, number=number)
        return _version(row) if row else None

    async def by_numbers(self, wanted: Sequence[tuple[WorkflowId, int]]) -> Sequence[Version]:
        either = Q(*(Q(workflow_id=workflow_id, number=number) for workflow_id, number in wanted), join_type=Q.OR)
        return [_version(row) for row in await Row.filter(either, tenant_id=self._tenant_id)] if wanted else []

    async def latest_number(self, workflow_id: WorkflowId) -> int:
        newest = (
            await Row.filter(tenant_id=self._tenant_id, workflow_id=workflow_id, number__isnull=False)
            .order_by("-number")
            .only("id", "number")
            .first()
        )
        return (newest and newest.number) or 0

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Version]:
        rows = (
            await Row.filter(
                keyset.between(page, Direction.DESC, "number"),
                tenant_id=self._tenant_id,
                workflow_id=workflow_id,
                number__isnull=False,
            )
            .order_by(*keyset.order(page, Direction.DESC, "number", "id"))
            .limit(page.limit + 1)
        )
        return cut([_version(row) for row in rows], page)

    async def keep(self, version: Version) -> Version:
        definition = orjson.dumps(definition_to_json(version.definition)).decode()
        await fetch(
            _KEEP,
            version.id,
            self._tenant_id,
            version.workflow_id,
            version.content_hash,
            definition,
            version.note,
            version.created_at,
            version.created_by,
        )
        (kept,) = await fetch(_KEPT, self._tenant_id, version.workflow_id, version.content_hash)
        (stored,) = await self.by_ids([VersionId(kept["id"])])
        return stored


async def insert_version(tenant_id: TenantId, version: Version) -> None:
    """Raises IntegrityError when the number is taken, or the workflow is another tenant's."""
    await Row.create(
        id=version.id,
        tenant_id=tenant_id,
        workflow_id=version.workflow_id,
        number=version.number,
        content_hash=version.content_hash,
        definition=definition_to_json(version.definition),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        published_by=version.published_by,
        approved_by=version.approved_by,
    )


def _version(row: Row) -> Version:
    return Version(
        id=VersionId(row.id),
        workflow_id=WorkflowId(row.workflow_id),
        number=row.number,
        content_hash=bytes(row.content_hash),
        definition=definition_from_json(row.definition),
        note=row.note,
        created_at=row.created_at,
        created_by=row.created_by,
        published_by=row.published_by,
        approved_by=row.approved_by,
    )
