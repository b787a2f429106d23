"""Whether publishing needs a second person: said by the tenant, and by a workflow where it differs.

The rule is no part of the draft: who may edit a draft could lift it there for the very change it is meant for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.ids import WorkflowId
from domain.sources import Ids
from domain.tenancy import Principal
from domain.workflows import WorkflowReader
from domain.workflows_edit import load


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRule:
    """`workflow` None: as the tenant."""

    tenant: bool = False
    workflow: bool | None = None

    @property
    def needs_approval(self) -> bool:
        return self.tenant if self.workflow is None else self.workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRuleChange:
    """`workflow_id` None: the tenant's own. `needs_approval` None: no rule of its own any more."""

    id: UUID
    workflow_id: WorkflowId | None
    needs_approval: bool | None
    changed_at: datetime
    changed_by: str


class PublishRules(Protocol):
    """Born with a tenant."""

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRule]:
        """The rule for each of these."""
        ...

    async def of_tenant(self) -> bool:
        """What the tenant says for workflows without a rule of their own."""
        ...

    async def put(self, change: PublishRuleChange) -> None: ...


async def set_for_workflow(
    workflow_id: WorkflowId,
    needs_approval: bool | None,
    *,
    by: Principal,
    rules: PublishRules,
    workflows: WorkflowReader,
    ids: Ids,
    now: datetime,
) -> PublishRule:
    """None: as the tenant. Open requests stay open, whatever is said. Raises NotFound."""
    await load(workflow_id, workflows)
    await rules.put(
        PublishRuleChange(
            id=ids(),
            workflow_id=workflow_id,
            needs_approval=needs_approval,
            changed_at=now,
            changed_by=by.actor.person,
        )
    )
    return (await rules.of_workflows([workflow_id]))[workflow_id]


async def set_for_tenant(
    needs_approval: bool, *, by: Principal, rules: PublishRules, ids: Ids, now: datetime
) -> PublishRule:
    """What holds for workflows without a rule of their own."""
    change = PublishRuleChange(
        id=ids(), workflow_id=None, needs_approval=needs_approval, changed_at=now, changed_by=by.actor.person
    )
    await rules.put(change)
    return PublishRule(tenant=await rules.of_tenant())
