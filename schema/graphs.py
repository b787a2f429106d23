"""A workflow's graph as the API shows and takes it: the keys of a workflow document, typed."""

import strawberry

from domain.graphs import IN, OUT, Graph, WorkflowSettings
from domain.json import JSONObject
from schema.enums import Backoff, FailureStrategy, JoinMode, OnError
from schema.scalars import JSON


@strawberry.type(name="Position", description="Where an editor draws a node.")
class PositionType:
    x: float
    y: float


@strawberry.type(name="RetryPolicy", description="How often and when a failed attempt is repeated; seconds.")
class RetryType:
    max_attempts: int
    backoff: Backoff
    initial_delay: float
    max_delay: float
    jitter: bool
    retry_on: list[str]


@strawberry.type(name="GraphNode", description="A step of a workflow.")
class GraphNode:
    id: str
    kind: str
    name: str
    position: PositionType
    config: JSON
    retry: RetryType
    timeout: float | None
    on_error: OnError
    each: JSON | None
    join: JoinMode | None
    lock: JSON | None
    cache: JSON | None
    at_most_once: bool
    compensation: JSON | None
    notes: str
    disabled: bool


@strawberry.type(name="GraphEdge", description="What follows what.")
class GraphEdge:
    source: str
    target: str
    source_handle: str
    target_handle: str
    condition: str | None
    max_iterations: int | None


@strawberry.type(name="Graph", description="Nodes and the edges between them.")
class GraphType:
    nodes: list[GraphNode]
    edges: list[GraphEdge]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Graph)


@strawberry.type(description="How many executions of a workflow run at once and start per minute.")
class ConcurrencyLimits:
    max: int | None
    per_minute: int | None


@strawberry.type(description="What a failure means for the execution; `handler` names a workflow.")
class FailureHandling:
    strategy: FailureStrategy
    handler: str | None


@strawberry.type(name="WorkflowSettings", description="Limits, and what a failure means; seconds.")
class SettingsType:
    timeout: float | None

    @strawberry.field
    @staticmethod
    def concurrency(root: strawberry.Parent[WorkflowSettings]) -> ConcurrencyLimits:
        return ConcurrencyLimits(max=root.max_concurrent, per_minute=root.max_per_minute)

    @strawberry.field
    @staticmethod
    def on_error(root: strawberry.Parent[WorkflowSettings]) -> FailureHandling:
        return FailureHandling(strategy=root.on_failure, handler=root.failure_handler)


@strawberry.input
class PositionInput:
    x: float = 0.0
    y: float = 0.0


@strawberry.input(description="Attempts in all, delays in seconds.")
class RetryInput:
    max_attempts: int = 1
    backoff: Backoff = Backoff.EXPONENTIAL
    initial_delay: float = 1.0
    max_delay: float = 60.0
    jitter: bool = True
    retry_on: list[str] = strawberry.field(default_factory=list[str])


@strawberry.input
class NodeInput:
    id: str
    kind: str
    name: str = ""
    position: PositionInput | None = None
    config: JSON | None = None
    retry: RetryInput | None = None
    timeout: float | None = None
    on_error: OnError = OnError.FAIL
    each: JSON | None = None
    join: JoinMode | None = None
    lock: JSON | None = None
    cache: JSON | None = None
    at_most_once: bool = False
    compensation: JSON | None = None
    notes: str = ""
    disabled: bool = False


@strawberry.input
class EdgeInput:
    source: str
    target: str
    source_handle: str = OUT
    target_handle: str = IN
    condition: str | None = None
    max_iterations: int | None = None


@strawberry.input
class GraphInput:
    nodes: list[NodeInput]
    edges: list[EdgeInput] = strawberry.field(default_factory=list[EdgeInput])


@strawberry.input
class ConcurrencyInput:
    max: int | None = None
    per_minute: int | None = None


@strawberry.input
class FailureInput:
    strategy: FailureStrategy = FailureStrategy.FAIL
    handler: str | None = None


@strawberry.input
class WorkflowSettingsInput:
    timeout: float | None = None
    concurrency: ConcurrencyInput | None = None
    on_error: FailureInput | None = None


def graph_document(graph: GraphInput) -> JSONObject:
    """The graph as a workflow document writes it, for the one reader that checks shapes."""
    return {
        "nodes": [_node(node) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
    }


def settings_document(settings: WorkflowSettingsInput) -> JSONObject:
    concurrency, on_error = settings.concurrency, settings.on_error
    return _given(
        timeout=settings.timeout,
        concurrency=_given(max=concurrency.max, perMinute=concurrency.per_minute) if concurrency else None,
        onError=_given(strategy=on_error.strategy.value, handler=on_error.handler) if on_error else None,
    )


def _node(node: NodeInput) -> JSONObject:
    return _given(
        id=node.id,
        kind=node.kind,
        name=node.name,
        position={"x": node.position.x, "y": node.position.y} if node.position else None,
        config=node.config,
        retry=_retry(node.retry) if node.retry else None,
        timeout=node.timeout,
        onError=node.on_error.value,
        each=node.each,
        join=node.join.value if node.join else None,
        lock=node.lock,
        cache=node.cache,
        atMostOnce=node.at_most_once,
        compensation=node.compensation,
        notes=node.notes,
        disabled=node.disabled,
    )


def _retry(retry: RetryInput) -> JSONObject:
    return {
        "maxAttempts": retry.max_attempts,
        "backoff": retry.backoff.value,
        "initialDelay": retry.initial_delay,
        "maxDelay": retry.max_delay,
        "jitter": retry.jitter,
        "retryOn": list(retry.retry_on),
    }


def _edge(edge: EdgeInput) -> JSONObject:
    return _given(
        source=edge.source,
        target=edge.target,
        sourceHandle=edge.source_handle,
        targetHandle=edge.target_handle,
        condition=edge.condition,
        maxIterations=edge.max_iterations,
    )


def _given(**members: JSON) -> JSONObject:
    return {name: value for name, value in members.items() if value is not None}
