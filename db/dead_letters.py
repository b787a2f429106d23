"""Changes when dead letters are found, or kept as dismissed, in another way."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from db import keyset
from db.statements import Row, fetch, fetch_value
from domain.dead_letters import DeadLetter, DeadLetterFilter, Dismissal
from domain.ids import ExecutionId, TenantId, WorkflowId
from domain.paging import Direction, Page, Slice, cut

_LETTER = """
SELECT x.id, x.workflow_id, x.finished_at, x.error::text AS error, d.dismissed_at, d.dismissed_by, d.reason, (
    SELECT r.id FROM execution AS r WHERE r.tenant_id = x.tenant_id AND r.retry_of = x.id ORDER BY r.id DESC LIMIT 1
) AS replay_id
"""
# The conditions of the index `execution_dead`.
_FROM = """
FROM execution AS x LEFT JOIN dead_letter_dismissal AS d ON d.execution_id = x.id
WHERE x.tenant_id = $1 AND x.status = 'FAILED' AND x.parent_id IS NULL AND NOT x.draft
AND NOT x.test
"""
_OPEN = """
AND d.execution_id IS NULL
AND NOT EXISTS (SELECT FROM execution AS r WHERE r.tenant_id = x.tenant_id AND r.retry_of = x.id)
AND ($2::uuid IS NULL OR x.workflow_id = $2)
AND ($3::text[] IS NULL OR x.error ->> 'code' = ANY ($3))
AND ($4::timestamptz IS NULL OR x.finished_at >= $4)
AND ($5::timestamptz IS NULL OR x.finished_at < $5)
"""
_INSERT = "INSERT INTO dead_letter_dismissal (execution_id, tenant_id, dismissed_at, dismissed_by, reason)"
_BY_IDS = _LETTER + _FROM + "AND x.id = ANY ($2::uuid[])"
_PAGE = _LETTER + _FROM + _OPEN
_COUNT = "SELECT count(*)" + _FROM + _OPEN
_DISMISSED = "SELECT x.id, x.tenant_id, $6, $7, $8" + _FROM + _OPEN
_PURGE = f"WITH gone AS ({_INSERT} {_DISMISSED} ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608
_DISMISS = _INSERT + _DISMISSED + "AND x.id = ANY ($9::uuid[]) ON CONFLICT DO NOTHING"


class DeadLetters:
    """Implements `domain.dead_letters.DeadLetterStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[ExecutionId]) -> Sequence[DeadLetter]:
        return [_letter(row) for row in await fetch(_BY_IDS, self._tenant_id, list(ids))]

    async def page(self, chosen: DeadLetterFilter, page: Page) -> Slice[DeadLetter]:
        after, before = (place.id if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        between = "AND ($6::uuid IS NULL OR x.id < $6) AND ($7::uuid IS NULL OR x.id > $7)"
        order = f" ORDER BY x.id {direction} LIMIT {page.limit + 1}"
        rows = await fetch(_PAGE + between + order, *self._chosen(chosen), after, before)
        return cut([_letter(row) for row in rows], page)

    async def count(self, chosen: DeadLetterFilter) -> int:
        return await fetch_value(_COUNT, *self._chosen(chosen))

    async def dismiss(self, ids: Sequence[ExecutionId], dismissal: Dismissal) -> None:
        nothing_else = self._chosen(DeadLetterFilter())
        await fetch(_DISMISS, *nothing_else, dismissal.at, dismissal.by, dismissal.reason, list(ids))

    async def purge(self, chosen: DeadLetterFilter, dismissal: Dismissal) -> int:
        return await fetch_value(_PURGE, *self._chosen(chosen), dismissal.at, dismissal.by, dismissal.reason)

    def _chosen(self, chosen: DeadLetterFilter) -> tuple[object, ...]:
        """$1 to $5."""
        code = list(chosen.code) or None
        return self._tenant_id, chosen.workflow_id, code, chosen.since, chosen.until


def _letter(row: Row) -> DeadLetter:
    replay: UUID | None = row["replay_id"]
    return DeadLetter(
        id=ExecutionId(row["id"]),
        workflow_id=WorkflowId(row["workflow_id"]),
        failed_at=row["finished_at"],
        error=orjson.loads(row["error"]) if row["error"] is not None else None,
        replay_id=ExecutionId(replay) if replay else None,
        dismissed_at=row["dismissed_at"],
        dismissed_by=row["dismissed_by"],
        reason=row["reason"],
    )
