"""Changes when what is active in environments, or how it came there, is stored in another way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from db import keyset
from db.statements import Row, fetch
from db.violations import violated
from domain.environments import missing
from domain.ids import PromotionId, TenantId, VersionId, WorkflowId
from domain.paging import Direction, Page, Slice, cut
from domain.promotions import Deployment, Promotion

# Whoever changes what is active takes the workflow's row first, as publishing does: so what each sees stays as it is,
# and nobody waits for another in a circle.
_LOCK = """
SELECT active_version_id FROM workflow WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE
"""
_ACTIVE = """
SELECT d.workflow_id, d.environment, d.version_id, d.active_since, d.activated_by
FROM workflow_environment AS d JOIN environment AS e ON e.tenant_id = d.tenant_id AND e.name = d.environment
WHERE d.tenant_id = $1 AND d.workflow_id = ANY ($2::uuid[])
ORDER BY e.position, e.name
"""
_WAS_ACTIVE = """
SELECT EXISTS (
    SELECT FROM promotion WHERE tenant_id = $1 AND workflow_id = $2 AND target = $3 AND version_id = $4
) AS was
"""
_ACTIVATE = """
INSERT INTO workflow_environment (tenant_id, workflow_id, environment, version_id, active_since, activated_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workflow_id, environment) DO UPDATE
SET version_id = excluded.version_id, active_since = excluded.active_since, activated_by = excluded.activated_by
"""
_END_SPLIT = """
UPDATE workflow_split SET ended_at = $5, promoted_id = $4
WHERE tenant_id = $1 AND workflow_id = $2 AND environment = $3 AND ended_at IS NULL
"""
_REMEMBER = """
INSERT INTO promotion
    (tenant_id, id, workflow_id, source, target, version_id, previous_id, note, promoted_at, promoted_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_PAGE = """
SELECT id, workflow_id, source, target, version_id, previous_id, note, promoted_at, promoted_by FROM promotion
WHERE tenant_id = $1 AND workflow_id = $2 AND ($3::uuid IS NULL OR id < $3) AND ($4::uuid IS NULL OR id > $4)
ORDER BY id
"""


class Promotions:
    """Implements `domain.promotions.PromotionStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def active(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, Sequence[Deployment]]:
        found: dict[WorkflowId, list[Deployment]] = defaultdict(list)
        for row in await fetch(_ACTIVE, self._tenant_id, list(ids)):
            found[WorkflowId(row["workflow_id"])].append(
                Deployment(
                    environment=row["environment"],
                    version_id=VersionId(row["version_id"]),
                    since=row["active_since"],
                    by=row["activated_by"],
                )
            )
        return found

    async def was_active(self, workflow_id: WorkflowId, environment: str, version_id: VersionId) -> bool:
        (row,) = await fetch(_WAS_ACTIVE, self._tenant_id, workflow_id, environment, version_id)
        return row["was"]

    async def record(self, promotion: Promotion) -> None:
        place = self._tenant_id, promotion.workflow_id, promotion.target, promotion.version_id
        try:
            async with in_transaction():
                await lock_workflow(self._tenant_id, promotion.workflow_id)
                await fetch(_ACTIVATE, *place, promotion.promoted_at, promotion.promoted_by)
                await fetch(_END_SPLIT, *place, promotion.promoted_at)
                await remember(self._tenant_id, promotion)
        except IntegrityError as error:
            if violated(error) != "workflow_environment_environment":
                raise
            raise missing(promotion.target, "to") from error

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Promotion]:
        after, before = (place.id if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        rows = await fetch(f"{_PAGE} {direction} LIMIT {page.limit + 1}", self._tenant_id, workflow_id, after, before)
        return cut([_promotion(row) for row in rows], page)


async def lock_workflow(tenant_id: TenantId, workflow_id: WorkflowId) -> Sequence[Row]:
    """Its active version as it stays until the transaction ends; nothing for a workflow that is not there."""
    return await fetch(_LOCK, tenant_id, workflow_id)


async def remember(tenant_id: TenantId, promotion: Promotion) -> None:
    """Write the history alone."""
    await fetch(
        _REMEMBER,
        tenant_id,
        promotion.id,
        promotion.workflow_id,
        promotion.source,
        promotion.target,
        promotion.version_id,
        promotion.previous_id,
        promotion.note,
        promotion.promoted_at,
        promotion.promoted_by,
    )


def _promotion(row: Row) -> Promotion:
    return Promotion(
        id=PromotionId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        source=row["source"],
        target=row["target"],
        version_id=VersionId(row["version_id"]),
        previous_id=VersionId(row["previous_id"]) if row["previous_id"] else None,
        note=row["note"],
        promoted_at=row["promoted_at"],
        promoted_by=row["promoted_by"],
    )
