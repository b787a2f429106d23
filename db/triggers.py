"""Changes when triggers are stored or read in another way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tortoise.exceptions import IntegrityError

from db.models import Trigger as Row
from db.violations import violated
from domain.errors import NotFound
from domain.ids import TenantId, TriggerId, WorkflowId, encode
from domain.starts import TriggerType
from domain.triggers import Trigger, WebhookTaken


class Triggers:
    """Implements `domain.triggers.TriggerStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def by_ids(self, ids: Sequence[TriggerId]) -> Sequence[Trigger]:
        return [_trigger(row) for row in await Row.filter(tenant_id=self._tenant_id, id__in=list(ids))]

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, Sequence[Trigger]]:
        found: dict[WorkflowId, list[Trigger]] = defaultdict(list)
        rows = Row.filter(tenant_id=self._tenant_id, workflow_id__in=list(ids)).order_by("created_at", "id")
        for row in await rows:
            found[WorkflowId(row.workflow_id)].append(_trigger(row))
        return {workflow_id: found[workflow_id] for workflow_id in ids}

    async def insert(self, trigger: Trigger) -> None:
        try:
            await Row.create(
                id=trigger.id,
                tenant_id=self._tenant_id,
                workflow_id=trigger.workflow_id,
                type=trigger.type.value,
                created_at=trigger.created_at,
                **_changeable(trigger),
            )
        except IntegrityError as error:
            raise _refusal(error, trigger) from error

    async def save(self, trigger: Trigger) -> None:
        try:
            saved = await Row.filter(tenant_id=self._tenant_id, id=trigger.id).update(**_changeable(trigger))
        except IntegrityError as error:
            raise _refusal(error, trigger) from error
        if not saved:
            raise NotFound("trigger", encode("trigger", trigger.id))

    async def delete(self, trigger_id: TriggerId) -> bool:
        return bool(await Row.filter(tenant_id=self._tenant_id, id=trigger_id).delete())


def _changeable(trigger: Trigger) -> Mapping[str, Any]:
    return {
        "enabled": trigger.enabled,
        "config": trigger.config,
        "updated_at": trigger.updated_at,
        "method": trigger.method,
        "path": trigger.path,
    }


def _refusal(error: IntegrityError, trigger: Trigger) -> Exception:
    if violated(error) == "trigger_webhook_key" and trigger.method and trigger.path is not None:
        return WebhookTaken(trigger.method, trigger.path)
    return error


def _trigger(row: Row) -> Trigger:
    return Trigger(
        id=TriggerId(row.id),
        workflow_id=WorkflowId(row.workflow_id),
        type=TriggerType(row.type),
        enabled=row.enabled,
        config=row.config,
        method=row.method,
        path=row.path,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
