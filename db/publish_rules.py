"""Changes when the rules for publishing are stored in another way."""

from collections.abc import Mapping, Sequence

from tortoise.expressions import Q

from db.models import PublishRule as Row
from db.statements import fetch
from domain.ids import TenantId, WorkflowId
from domain.publish_rules import PublishRule, PublishRuleChange

_PUT = """
INSERT INTO publish_rule (id, tenant_id, workflow_id, needs_approval, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT publish_rule_key DO UPDATE
    SET needs_approval = excluded.needs_approval, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


class PublishRules:
    """Implements `domain.publish_rules.PublishRules` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRule]:
        rows = await Row.filter(Q(workflow_id__in=list(ids)) | Q(workflow_id=None), tenant_id=self._tenant_id)
        said = {row.workflow_id: row.needs_approval for row in rows}
        return {each: PublishRule(tenant=said.get(None, False), workflow=said.get(each)) for each in ids}

    async def of_tenant(self) -> bool:
        row = await Row.get_or_none(tenant_id=self._tenant_id, workflow_id=None)
        return row is not None and row.needs_approval

    async def put(self, change: PublishRuleChange) -> None:
        if change.needs_approval is None:
            await Row.filter(tenant_id=self._tenant_id, workflow_id=change.workflow_id).delete()
            return
        await fetch(
            _PUT,
            change.id,
            self._tenant_id,
            change.workflow_id,
            change.needs_approval,
            change.changed_at,
            change.changed_by,
        )
