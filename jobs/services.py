"""What nodes may ask of this worker, for one tenant at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct, field

from domain.children import Children
from domain.connections import Connections
from domain.expressions import Expression, Scope, Template
from domain.files import Files
from domain.ids import TenantId
from domain.json import JSON
from domain.locks import LockDesk
from domain.streams import StreamDesk
from domain.tasks import TaskDesk
from jobs.addresses import AddressGuard
from jobs.breakers import Breaker, NoBreaker
from jobs.masking import RememberingConnections, Secrets
from jobs.outgoing import Outgoing
from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.outcomes import Fetch, Finished, Script
from jobs.sandbox.sandbox import Sandbox

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What a worker offers its steps; the callables give a tenant's own. None: this worker has no such thing."""

    http: Outgoing
    evaluator: Evaluator
    breaker: Callable[[TenantId], Breaker] = lambda _: NoBreaker()
    children: Callable[[TenantId], Children] | None = None
    connections: Callable[[TenantId], Connections] | None = None
    files: Callable[[TenantId], Files] | None = None
    tasks: Callable[[TenantId], TaskDesk] | None = None
    locks: Callable[[TenantId], LockDesk] | None = None
    streams: Callable[[TenantId], StreamDesk] | None = None
    sandbox: Sandbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantCode:
    """Implements `jobs.nodes.base.CodeRunner`."""

    tenant: TenantId
    sandbox: Sandbox

    async def run(self, script: Script, fetch: Fetch | None = None) -> Finished:
        return await self.sandbox.run(str(self.tenant), script, fetch)


class StepServices(Struct, frozen=True, kw_only=True):
    """Implements `jobs.nodes.base.Services`; cheap to make, so made for every step.

    `secrets`: those of the connections that the step has been given so far.
    """

    tenant: TenantId
    supplies: Supplies
    secrets: Secrets = field(default_factory=Secrets)

    @property
    def http(self) -> Outgoing:
        return self.supplies.http

    @property
    def addresses(self) -> AddressGuard:
        return self.supplies.http.addresses

    @property
    def breaker(self) -> Breaker:
        return self.supplies.breaker(self.tenant)

    @property
    def children(self) -> Children:
        return _supplied(self.supplies.children, "executions to begin")(self.tenant)

    @property
    def connections(self) -> RememberingConnections:
        connections = _supplied(self.supplies.connections, "connections")(self.tenant)
        return RememberingConnections(connections, self.secrets)

    @property
    def files(self) -> Files:
        return _supplied(self.supplies.files, "file storage")(self.tenant)

    @property
    def tasks(self) -> TaskDesk:
        return _supplied(self.supplies.tasks, "tasks")(self.tenant)

    @property
    def locks(self) -> LockDesk:
        return _supplied(self.supplies.locks, "locks")(self.tenant)

    @property
    def streams(self) -> StreamDesk:
        return _supplied(self.supplies.streams, "streams")(self.tenant)

    async def evaluate(self, expression: Expression, scope: Scope) -> JSON:
        return await self.supplies.evaluator.evaluate(str(self.tenant), expression, scope)

    @property
    def code(self) -> TenantCode:
        if self.supplies.sandbox is None:
            raise RuntimeError("this worker has no sandbox")
        return TenantCode(tenant=self.tenant, sandbox=self.supplies.sandbox)

    async def evaluate_each(self, expression: Expression, scope: Scope, items: Sequence[JSON]) -> Sequence[JSON]:
        return await self.supplies.evaluator.evaluate_each(str(self.tenant), expression, scope, items)

    async def render(self, template: Template, scope: Scope) -> JSON:
        return await self.supplies.evaluator.render(str(self.tenant), template, scope)


def _supplied(supply: Callable[[TenantId], S] | None, what: str) -> Callable[[TenantId], S]:
    if supply is None:
        raise RuntimeError(f"this worker has no {what}")
    return supply
