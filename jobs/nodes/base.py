"""What a node kind is made of: a config model, an action, and the context in which it runs."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from domain.children import Children
from domain.connections import Connections
from domain.engine.outcomes import Cause, Failed, Outcome
from domain.errors import Finding
from domain.expressions import Expression, Scope, Template
from domain.files import Files
from domain.graphs import OUT, Node
from domain.ids import ExecutionId, TenantId
from domain.json import JSON, JSONObject
from domain.locks import LockDesk
from domain.nodes import NodeCategory, NodeExample, NodeKind, Output
from domain.streams import StreamDesk
from domain.tasks import TaskDesk
from domain.validation.fields import connection_fields, marked_fields
from domain.validation.models import shape_findings
from jobs.addresses import AddressGuard
from jobs.breakers import Breaker
from jobs.nodes.environments import mapped
from jobs.nodes.fields import EXPRESSION_ERROR, accepting_templates
from jobs.outgoing import OutgoingRequest, OutgoingResponse, OutgoingStream
from jobs.sandbox.outcomes import Fetch, Finished, Script

_KEPT = 4_096


class Http(Protocol):
    async def send(self, request: OutgoingRequest) -> OutgoingResponse:
        """Raises OutgoingError."""
        ...

    def open(self, request: OutgoingRequest) -> AbstractAsyncContextManager[OutgoingStream]:
        """The response as it begins, its body read inside the block. Raises OutgoingError."""
        ...

    async def read(self, stream: OutgoingStream) -> bytes:
        """The whole body of an opened response. Raises OutgoingError."""
        ...


class CodeRunner(Protocol):
    async def run(self, script: Script, fetch: Fetch | None = None) -> Finished:
        """Runs a user's program in the sandbox; `fetch` carries out its requests."""
        ...


class Services(Protocol):
    """What a node may ask of the worker; born with the execution's tenant."""

    @property
    def http(self) -> Http: ...
    @property
    def addresses(self) -> AddressGuard: ...
    @property
    def breaker(self) -> Breaker: ...
    @property
    def children(self) -> Children: ...
    @property
    def connections(self) -> Connections: ...
    @property
    def files(self) -> Files: ...
    @property
    def tasks(self) -> TaskDesk: ...
    @property
    def locks(self) -> LockDesk: ...
    @property
    def streams(self) -> StreamDesk: ...
    @property
    def code(self) -> CodeRunner: ...

    async def evaluate(self, expression: Expression, scope: Scope) -> JSON:
        """Natively where possible, else in the sandbox. Raises EvaluationError."""
        ...

    async def evaluate_each(self, expression: Expression, scope: Scope, items: Sequence[JSON]) -> Sequence[JSON]:
        """The expression's value for each element, in one trip to the sandbox. Raises EvaluationError."""
        ...

    async def render(self, template: Template, scope: Scope) -> JSON:
        """The template's value. Raises EvaluationError."""
        ...


class StepContext(Struct, frozen=True, kw_only=True):
    """One attempt. `config` is rendered but for the kind's raw fields; `at` is the step's only clock.

    `idempotency_key` is the same for every attempt of this activation. `depth`: how many executions are above this one.
    """

    tenant_id: TenantId
    execution_id: ExecutionId
    path: str
    node: Node
    attempt: int
    config: JSONObject
    input: JSON
    scope: Scope
    at: datetime
    idempotency_key: str
    services: Services
    timeout: float | None = None
    depth: int = 0


class Behaviour(Protocol):
    """A node kind that can run. `raw_fields` of its config are not rendered: it evaluates them itself."""

    @property
    def kind(self) -> NodeKind: ...

    @property
    def raw_fields(self) -> frozenset[str]: ...

    def handles(self, config: JSONObject) -> Sequence[str]:
        """The output handles with this config, `error` aside."""
        ...

    def check(self, config: JSONObject) -> Iterator[Finding]:
        """What is wrong with a config as written, expressions aside; paths lead into the config."""
        ...

    async def run(self, step: StepContext) -> Outcome:
        """Raises EvaluationError for an expression that fails."""
        ...

    async def resume(self, step: StepContext, cause: Cause) -> Outcome:
        """Continue after Waiting; kinds that never wait raise NotImplementedError."""
        ...


class NodeConfig(BaseModel):
    """Base of the config models: camelCase keys, strict types, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )


C = TypeVar("C", bound=NodeConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedKind(Generic[C]):
    """A Behaviour made of functions; see `define`."""

    kind: NodeKind
    raw_fields: frozenset[str]
    _connections: Collection[str]
    _model: type[C]
    _action: Callable[[StepContext, C], Awaitable[Outcome]]
    _resumption: Callable[[StepContext, C, Cause], Awaitable[Outcome]] | None
    _handles: Callable[[JSONObject], Sequence[str]] | None
    _rules: Callable[[JSONObject], Iterator[Finding]] | None
    _constant: dict[int, tuple[JSONObject, C]] = field(default_factory=dict[int, Any], repr=False, compare=False)

    def handles(self, config: JSONObject) -> Sequence[str]:
        return self._handles(config) if self._handles else self.kind.output_handles

    def check(self, config: JSONObject) -> Iterator[Finding]:
        try:
            self._model.model_validate(config)
        except ValidationError as error:
            yield from shape_findings(self._model, error, config, passed_over=_not_for_check)
        if self._rules:
            yield from self._rules(config)

    async def run(self, step: StepContext) -> Outcome:
        step = self._placed(step)
        config = self._parse(step)
        return config if isinstance(config, Failed) else await self._action(step, config)

    async def resume(self, step: StepContext, cause: Cause) -> Outcome:
        if self._resumption is None:
            raise NotImplementedError(f"a {self.kind.name} node never waits")
        step = self._placed(step)
        config = self._parse(step)
        return config if isinstance(config, Failed) else await self._resumption(step, config, cause)

    def _placed(self, step: StepContext) -> StepContext:
        """The step as it is to run in its execution's environment."""
        if not self._connections:
            return step
        config = mapped(step.config, self._connections, step.scope)
        return step if config is step.config else replace(step, config=config)

    def _parse(self, step: StepContext) -> C | Failed:
        """The config as the model's value. One without expressions is the node's own object and parsed once."""
        kept = self._constant.get(id(step.config))
        if kept is not None and kept[0] is step.config:
            return kept[1]
        try:
            config = self._model.model_validate(step.config)
        except ValidationError as error:
            findings = list(shape_findings(self._model, error, cast("JSON", step.config)))
            message = "; ".join(finding.message for finding in findings)
            return Failed(code="CONFIG_INVALID", message=message[:1_000], retryable=False, remedy=findings[0].remedy)
        if step.config is step.node.config:
            if len(self._constant) >= _KEPT:
                self._constant.clear()
            self._constant[id(step.config)] = (step.config, config)
        return config


def _not_for_check(problem: str, value: object) -> bool:
    """A template may stand for any type, and expressions are checked by `domain.validation`, which knows the graph."""
    return problem == EXPRESSION_ERROR or (isinstance(value, str) and "{{" in value)


def unexpected(cause: Cause) -> Failed:
    """A step was woken by something its kind does not wait for."""
    return Failed(code="UNEXPECTED", message=f"The step cannot be resumed by {type(cause).__name__}", retryable=False)


def define(
    *,
    name: str,
    title: str,
    description: str,
    category: NodeCategory,
    config: type[C],
    run: Callable[[StepContext, C], Awaitable[Outcome]],
    documentation: str,
    examples: Mapping[str, JSONObject],
    resume: Callable[[StepContext, C, Cause], Awaitable[Outcome]] | None = None,
    outputs: tuple[str, ...] = (OUT,),
    inputs: tuple[str, ...] = ("in",),
    handles: Callable[[JSONObject], Sequence[str]] | None = None,
    rules: Callable[[JSONObject], Iterator[Finding]] | None = None,
    output: Output | None = None,
    effects: bool = False,
    entry: bool = False,
    result: bool = False,
    merges: bool = False,
    forks: bool = False,
    body: bool = False,
) -> DefinedKind[C]:
    """A node kind from its parts.

    `run` and `resume` get the parsed config. `handles` tells the outputs from the config as written, where they
    depend on it; `rules` finds what the model cannot say, such as two keys that exclude each other. `output` is the
    JSON Schema of what the node gives, INPUT, or a function from the config as written to one of them.
    """
    schema = accepting_templates(cast("JSONObject", config.model_json_schema(by_alias=True)))
    kind = NodeKind(
        name=name,
        title=title,
        description=description,
        category=category,
        config_schema=schema,
        input_handles=inputs,
        output_handles=outputs,
        documentation=documentation.strip(),
        examples=tuple(NodeExample(title=title, config=example) for title, example in examples.items()),
        effects=effects,
        entry=entry,
        result=result,
        merges=merges,
        forks=forks,
        body=body,
        output=output,
    )
    return DefinedKind(
        kind=kind,
        raw_fields=marked_fields(schema),
        _connections=tuple(connection_fields(schema)),
        _model=config,
        _action=run,
        _resumption=resume,
        _handles=handles,
        _rules=rules,
    )
