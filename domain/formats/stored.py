"""Definitions as JSON and back without a check: what drafts and versions are stored as, and the one mapping of keys.

Readers trust their input: it was written here, or its shape was checked by `domain.formats.documents`. Values that
equal the default are left out; reading what was written gives an equal definition.
"""

from collections.abc import Mapping
from typing import Any

from domain.graphs import (
    IN,
    OUT,
    Backoff,
    Definition,
    Edge,
    FailureStrategy,
    Graph,
    JoinMode,
    Node,
    OnError,
    Position,
    Retry,
    Variable,
    WorkflowSettings,
)
from domain.json import JSON, JSONObject

Trusted = Mapping[str, Any]
"""A JSON object whose shape is known to be right."""

_NO_RETRY = Retry()
_ORIGIN = Position()


def definition_to_json(definition: Definition) -> JSONObject:
    """`{nodes, edges, variables?, settings?, inputSchema?, outputSchema?}`, as in a workflow document."""
    value: dict[str, JSON] = {}
    if definition.variables:
        value["variables"] = variables_to_json(definition.variables)
    if settings := settings_to_json(definition.settings):
        value["settings"] = settings
    schemas = _present(inputSchema=definition.input_schema, outputSchema=definition.output_schema)
    return {**value, **schemas, **graph_to_json(definition.graph)}


def definition_from_json(value: JSON) -> Definition:
    """The inverse of `definition_to_json`, for JSON it wrote."""
    trusted = _trusted(value)
    return Definition(
        graph=trusted_graph(trusted),
        variables=trusted_variables(trusted.get("variables") or {}),
        settings=trusted_settings(trusted.get("settings") or {}),
        input_schema=trusted.get("inputSchema"),
        output_schema=trusted.get("outputSchema"),
    )


def graph_to_json(graph: Graph) -> JSONObject:
    """`{nodes: […], edges: […]}`."""
    return {
        "nodes": [_node_to_json(node) for node in graph.nodes],
        "edges": [_edge_to_json(edge) for edge in graph.edges],
    }


def _node_to_json(node: Node) -> JSONObject:
    value: dict[str, JSON] = {"id": node.id, "kind": node.kind}
    if node.name:
        value["name"] = node.name
    if node.position != _ORIGIN:
        value["position"] = {"x": node.position.x, "y": node.position.y}
    if node.config:
        value["config"] = node.config
    if node.retry != _NO_RETRY:
        value["retry"] = _retry_to_json(node.retry)
    if node.on_error is not OnError.FAIL:
        value["onError"] = node.on_error.value
    optional: dict[str, JSON] = {
        "timeout": node.timeout,
        "each": node.each,
        "join": node.join.value if node.join else None,
        "lock": node.lock,
        "cache": node.cache,
        "atMostOnce": node.at_most_once or None,
        "compensation": node.compensation,
        "notes": node.notes or None,
        "disabled": node.disabled or None,
    }
    return value | {key: member for key, member in optional.items() if member is not None}


def _retry_to_json(retry: Retry) -> JSONObject:
    return {
        "maxAttempts": retry.max_attempts,
        "backoff": retry.backoff.value,
        "initialDelay": retry.initial_delay,
        "maxDelay": retry.max_delay,
        "jitter": retry.jitter,
        **({"retryOn": list(retry.retry_on)} if retry.retry_on else {}),
    }


def _edge_to_json(edge: Edge) -> JSONObject:
    value: dict[str, JSON] = {"source": edge.source, "target": edge.target}
    if edge.source_handle != OUT:
        value["sourceHandle"] = edge.source_handle
    if edge.target_handle != IN:
        value["targetHandle"] = edge.target_handle
    if edge.condition is not None:
        value["condition"] = edge.condition
    if edge.max_iterations is not None:
        value["maxIterations"] = edge.max_iterations
    return value


def trusted_graph(value: Trusted) -> Graph:
    return Graph(
        nodes=tuple(_node(node) for node in value["nodes"]),
        edges=tuple(_edge(edge) for edge in value.get("edges") or ()),
    )


def _node(value: Trusted) -> Node:
    get = value.get
    position, retry, join = get("position"), get("retry"), get("join")
    return Node(
        id=value["id"],
        kind=value["kind"],
        name=get("name", ""),
        position=Position(x=position.get("x", 0.0), y=position.get("y", 0.0)) if position else _ORIGIN,
        config=get("config", {}),
        retry=_retry(retry) if retry else _NO_RETRY,
        timeout=get("timeout"),
        on_error=OnError(get("onError", OnError.FAIL)),
        each=get("each"),
        join=JoinMode(join) if join else None,
        lock=get("lock"),
        cache=get("cache"),
        at_most_once=get("atMostOnce", False),
        compensation=get("compensation"),
        notes=get("notes", ""),
        disabled=get("disabled", False),
    )


def _retry(value: Trusted) -> Retry:
    return Retry(
        max_attempts=value.get("maxAttempts", _NO_RETRY.max_attempts),
        backoff=Backoff(value.get("backoff", _NO_RETRY.backoff)),
        initial_delay=value.get("initialDelay", _NO_RETRY.initial_delay),
        max_delay=value.get("maxDelay", _NO_RETRY.max_delay),
        jitter=value.get("jitter", _NO_RETRY.jitter),
        retry_on=tuple(value.get("retryOn", ())),
    )


def _edge(value: Trusted) -> Edge:
    return Edge(
        source=value["source"],
        target=value["target"],
        source_handle=value.get("sourceHandle", OUT),
        target_handle=value.get("targetHandle", IN),
        condition=value.get("condition"),
        max_iterations=value.get("maxIterations"),
    )


def variables_to_json(variables: Mapping[str, Variable]) -> JSONObject:
    """`{name: {default?, description?}}`."""
    return {name: _variable_to_json(variable) for name, variable in variables.items()}


def _variable_to_json(variable: Variable) -> JSONObject:
    value: dict[str, JSON] = {}
    if variable.default is not None:
        value["default"] = variable.default
    if variable.description:
        value["description"] = variable.description
    return value


def trusted_variables(value: Trusted) -> Mapping[str, Variable]:
    return {
        name: Variable(default=variable.get("default"), description=variable.get("description", ""))
        for name, variable in value.items()
    }


def settings_to_json(settings: WorkflowSettings) -> JSONObject:
    """`{timeout?, concurrency?: {max?, perMinute?}, onError?: {strategy?, handler?}}`."""
    concurrency = _present(max=settings.max_concurrent, perMinute=settings.max_per_minute)
    strategy = settings.on_failure.value if settings.on_failure is not FailureStrategy.FAIL else None
    on_error = _present(strategy=strategy, handler=settings.failure_handler)
    return _present(timeout=settings.timeout, concurrency=concurrency or None, onError=on_error or None)


def _present(**members: JSON) -> JSONObject:
    return {key: member for key, member in members.items() if member is not None}


def trusted_settings(value: Trusted) -> WorkflowSettings:
    concurrency: Trusted = value.get("concurrency") or {}
    on_error: Trusted = value.get("onError") or {}
    return WorkflowSettings(
        timeout=value.get("timeout"),
        max_concurrent=concurrency.get("max"),
        max_per_minute=concurrency.get("perMinute"),
        on_failure=FailureStrategy(on_error.get("strategy", FailureStrategy.FAIL)),
        failure_handler=on_error.get("handler"),
    )


def _trusted(value: JSON) -> Trusted:
    if not isinstance(value, Mapping):
        raise TypeError("a stored definition is a JSON object")
    return value
