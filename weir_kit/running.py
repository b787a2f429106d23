"""One node, run for real: its config rendered as a worker renders it, in the sandbox, with the worker's HTTP client."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.connections import Connection
from domain.engine.outcomes import Cause, Outcome
from domain.errors import Finding
from domain.expressions import Scope, compile_value
from domain.graphs import Node
from domain.ids import ExecutionId, TenantId
from domain.json import JSON, JSONObject, as_object
from jobs.nodes.base import Behaviour, StepContext
from jobs.outgoing import Outgoing
from jobs.sandbox import Evaluator, Sandbox
from jobs.services import StepServices, Supplies
from weir_kit.supplies import GivenConnections, MemoryFiles

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The moment at which nodes run, unless `at` says another."""
_TENANT: Final = TenantId(UUID(int=1))
_EXECUTION: Final = ExecutionId(UUID(int=2))


def check_config(kind: Behaviour, config: JSONObject) -> Sequence[Finding]:
    """What an editor would be told of this config."""
    return list(kind.check(config))


async def run_node(
    kind: Behaviour,
    config: JSONObject | None = None,
    *,
    input: JSON = None,
    scope: Mapping[str, JSON] | None = None,
    connections: Iterable[Connection] = (),
    files: MemoryFiles | None = None,
    allow: Iterable[str] = (),
    at: datetime = NOW,
    attempt: int = 1,
    timeout: float | None = None,
    cause: Cause | None = None,
) -> Outcome:
    """One attempt of a node of this kind, or with `cause` what follows its wait.

    `scope`: what expressions see beside `input`, such as `{"vars": {…}}`. `allow`: the `host:port` that may be reached
    though it is not public, such as that of a test's own server. Raises EvaluationError for an expression that fails,
    and what the kind itself raises.
    """
    written = config or {}
    kept = files if files is not None else MemoryFiles()
    http = Outgoing(allow=allow)
    try:
        async with Sandbox(size=1) as sandbox:
            supplies = Supplies(
                http=http,
                evaluator=Evaluator(sandbox),
                connections=lambda _: GivenConnections(connections),
                files=lambda _: kept,
            )
            services = StepServices(tenant=_TENANT, supplies=supplies)
            seen: Scope = {"input": input, **(scope or {})}
            step = StepContext(
                tenant_id=_TENANT,
                execution_id=_EXECUTION,
                path="node",
                node=Node(id="node", kind=kind.kind.name, config=written),
                attempt=attempt,
                config=await _rendered(kind, written, seen, services),
                input=input,
                scope=seen,
                at=at,
                idempotency_key="execution:node",
                services=services,
                timeout=timeout,
            )
            return await (kind.run(step) if cause is None else kind.resume(step, cause))
    finally:
        await http.close()


async def _rendered(kind: Behaviour, config: JSONObject, scope: Scope, services: StepServices) -> JSONObject:
    raw = {name: config[name] for name in kind.raw_fields if name in config}
    template = compile_value({name: value for name, value in config.items() if name not in raw})
    return config if template.constant else {**raw, **as_object(await services.render(template, scope))}
