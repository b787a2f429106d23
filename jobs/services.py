"""What nodes may ask of this worker: outgoing requests and expressions, for one tenant at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.expressions import Expression, Scope, Template
from domain.ids import TenantId
from domain.json import JSON
from jobs.outgoing import Outgoing
from jobs.sandbox.evaluator import Evaluator


@dataclass(frozen=True, slots=True, kw_only=True)
class StepServices:
    """Implements `jobs.nodes.base.Services`."""

    tenant: str
    http: Outgoing
    evaluator: Evaluator

    async def evaluate(self, expression: Expression, scope: Scope) -> JSON:
        return await self.evaluator.evaluate(self.tenant, expression, scope)

    async def render(self, template: Template, scope: Scope) -> JSON:
        return await self.evaluator.render(self.tenant, template, scope)


def services_for(http: Outgoing, evaluator: Evaluator) -> Callable[[TenantId], StepServices]:
    """A tenant's services; cheap to make, so made for every step."""
    return lambda tenant: StepServices(tenant=str(tenant), http=http, evaluator=evaluator)
