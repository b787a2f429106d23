"""Triggers: what begins executions of a workflow by itself; create, read, change, delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Conflict
from domain.ids import TriggerId, WorkflowId
from domain.json import JSON, JSONObject
from domain.starts import TriggerType


class TriggerKind(StrEnum):
    """The types a trigger can have: those starts that need nobody to ask."""

    WEBHOOK = TriggerType.WEBHOOK.value
    SCHEDULE = TriggerType.SCHEDULE.value
    EVENT = TriggerType.EVENT.value
    DATA_CHANGE = TriggerType.DATA_CHANGE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`method` (capitals) and `path` (no slash at the ends) are those of an enabled or disabled webhook, else None."""

    id: TriggerId
    workflow_id: WorkflowId
    type: TriggerType
    enabled: bool = True
    config: JSONObject = field(default_factory=dict[str, JSON])
    method: str | None = None
    path: str | None = None
    created_at: datetime
    updated_at: datetime


class WebhookTaken(Conflict):
    """Another enabled webhook of the tenant has this method and path."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"Another webhook answers {method} {path}",
            path=("config", "path"),
            remedy="Choose another path or method, or disable the other trigger.",
        )


class TriggerStore(Protocol):
    """Born with a tenant; another tenant's triggers are not there."""

    async def by_ids(self, ids: Sequence[TriggerId]) -> Sequence[Trigger]: ...

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, Sequence[Trigger]]:
        """Oldest first."""
        ...

    async def insert(self, trigger: Trigger) -> None:
        """Raises WebhookTaken."""
        ...

    async def save(self, trigger: Trigger) -> None:
        """Raises WebhookTaken, NotFound."""
        ...

    async def delete(self, trigger_id: TriggerId) -> bool:
        """False when it is not there."""
        ...
