"""Whether publishing needs a second person, and their signature: said by the tenant, and by a workflow that differs.

The rule is no part of the draft: who may edit a draft could lift it there for the very change it is meant for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.errors import Invalid
from domain.ids import WorkflowId
from domain.sources import Ids
from domain.tenancy import Principal
from domain.workflows import WorkflowReader
from domain.workflows_edit import load


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRule:
    """`workflow` and `workflow_signature` None: as the tenant."""

    tenant: bool = False
    workflow: bool | None = None
    tenant_signature: bool = False
    workflow_signature: bool | None = None

    @property
    def needs_approval(self) -> bool:
        return self.tenant if self.workflow is None else self.workflow

    @property
    def signature(self) -> bool:
        """Whether who approves has to sign."""
        return self.tenant_signature if self.workflow_signature is None else self.workflow_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRuleChange:
    """`workflow_id` None: the tenant's own. `needs_approval` None: no rule of its own any more.

    `signature` None: as the tenant.
    """

    id: UUID
    workflow_id: WorkflowId | None
    needs_approval: bool | None
    signature: bool | None
    changed_at: datetime
    changed_by: str


class PublishRules(Protocol):
    """Born with a tenant."""

    async def of_workflows(self, ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRule]:
        """The rule for each of these."""
        ...

    async def of_tenant(self) -> PublishRule:
        """What the tenant says for workflows without a rule of their own."""
        ...

    async def put(self, change: PublishRuleChange) -> None: ...


async def set_for_workflow(
    workflow_id: WorkflowId,
    needs_approval: bool | None,
    signature: bool | None,
    *,
    by: Principal,
    rules: PublishRules,
    workflows: WorkflowReader,
    ids: Ids,
    now: datetime,
) -> PublishRule:
    """None: as the tenant. Open requests stay open, whatever is said. Raises NotFound, Invalid."""
    await load(workflow_id, workflows)
    if needs_approval is None and signature is not None:
        message = "A workflow that says nothing of approvals says nothing of their signatures"
        raise Invalid(message, path=("signature",), remedy="Say whether it needs an approval too, or leave this out.")
    await rules.put(
        PublishRuleChange(
            id=ids(),
            workflow_id=workflow_id,
            needs_approval=needs_approval,
            signature=signature,
            changed_at=now,
            changed_by=by.actor.person,
        )
    )
    return (await rules.of_workflows([workflow_id]))[workflow_id]


async def set_for_tenant(
    needs_approval: bool, signature: bool, *, by: Principal, rules: PublishRules, ids: Ids, now: datetime
) -> PublishRule:
    """What holds for workflows without a rule of their own."""
    await rules.put(
        PublishRuleChange(
            id=ids(),
            workflow_id=None,
            needs_approval=needs_approval,
            signature=signature,
            changed_at=now,
            changed_by=by.actor.person,
        )
    )
    return await rules.of_tenant()
