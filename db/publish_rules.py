"""Changes when the rules for publishing are stored in another way."""

from collections.abc import Mapping, Sequence

from tortoise.expressions import Q

from db.models import PublishRule as Row
from db.statements import fetch
from domain.ids import TenantId, WorkflowId
from domain.publish_rules import PublishRule, PublishRuleChange

_PUT = """
INSERT INTO publish_rule (id, tenant_id, workflow_id, needs_approval, signature, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT ON CONSTRAINT publish_rule_key DO UPDATE
    SET needs_approval = excluded.needs_approval, signature = excluded.signature,
        changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


class PublishRules:
    """Implements `domain.publish_rules.PublishRules` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRule]:
        rows = await Row.filter(Q(workflow_id__in=list(ids)) | Q(workflow_id=None), tenant_id=self._tenant_id)
        said = {row.workflow_id: row for row in rows}
        return {each: _rule(said.get(None), said.get(each)) for each in ids}

    async def of_tenant(self) -> PublishRule:
        return _rule(await Row.get_or_none(tenant_id=self._tenant_id, workflow_id=None), None)

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
            change.signature,
            change.changed_at,
            change.changed_by,
        )


def _rule(tenant: Row | None, workflow: Row | None) -> PublishRule:
    return PublishRule(
        tenant=tenant is not None and tenant.needs_approval,
        workflow=workflow.needs_approval if workflow is not None else None,
        tenant_signature=tenant is not None and tenant.signature is True,
        workflow_signature=workflow.signature if workflow is not None else None,
    )
