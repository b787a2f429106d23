"""A place to run single nodes in: the real sandbox, the real HTTP client, the config rendered as the executor does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.engine.outcomes import Cause, Completed, Outcome
from domain.expressions import Scope, compile_value
from domain.graphs import Node
from domain.ids import ExecutionId, TenantId
from domain.json import JSON, JSONObject, as_object
from domain.nodes import PASSED
from domain.validation.inputs import check_input
from jobs.nodes import CATALOG
from jobs.nodes.base import StepContext
from jobs.outgoing import Outgoing
from jobs.sandbox import Evaluator, Sandbox
from jobs.services import StepServices, Supplies

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TENANT = TenantId(UUID(int=1))
EXECUTION = ExecutionId(UUID(int=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWorld:
    """`timeout` is that of every node run."""

    supplies: Supplies
    timeout: float | None = None

    async def run(
        self,
        kind: str,
        config: JSONObject | None = None,
        *,
        input: JSON = None,
        **scope: JSON,
    ) -> Outcome:
        """One attempt of a node of this kind; `scope` holds names beside `input`."""
        context = await self._context(kind, config or {}, {"input": input, **scope})
        return as_declared(await CATALOG.behaviour(kind).run(context), context)

    async def resume(self, kind: str, config: JSONObject, cause: Cause, *, input: JSON = None) -> Outcome:
        context = await self._context(kind, config, {"input": input})
        return as_declared(await CATALOG.behaviour(kind).resume(context, cause), context)

    async def _context(self, kind: str, config: JSONObject, scope: Scope) -> StepContext:
        raw = CATALOG.behaviour(kind).raw_fields
        template = compile_value({key: value for key, value in config.items() if key not in raw})
        services = StepServices(tenant=TENANT, supplies=self.supplies)
        rendered = config if template.constant else as_object(await services.render(template, scope))
        return StepContext(
            tenant_id=TENANT,
            execution_id=EXECUTION,
            path="node",
            node=Node(id="node", kind=kind, config=config),
            attempt=1,
            config={**{key: config[key] for key in raw if key in config}, **rendered},
            input=scope["input"],
            scope=scope,
            at=NOW,
            idempotency_key="execution_x:node",
            services=services,
            timeout=self.timeout,
        )


def as_declared(outcome: Outcome, step: StepContext) -> Outcome:
    """The outcome, whose output is what the kind says it gives: every test of a kind is one of that too."""
    if isinstance(outcome, Completed):
        declared = CATALOG.kinds()[step.node.kind].output_of(step.node.config)
        if PASSED in declared:
            assert outcome.output == step.input
        else:
            assert check_input(declared, outcome.output) == []
    return outcome


@asynccontextmanager
async def node_world(*, allow: tuple[str, ...] = (), max_response_bytes: int = 1_000_000) -> AsyncGenerator[NodeWorld]:
    http = Outgoing(allow=allow, max_response_bytes=max_response_bytes)
    try:
        async with Sandbox() as sandbox:
            yield NodeWorld(supplies=Supplies(http=http, evaluator=Evaluator(sandbox), sandbox=sandbox))
    finally:
        await http.close()
