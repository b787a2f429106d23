"""Definitions written in a line or two: changes when tests need another way to draw a graph."""

from collections.abc import Sequence
from itertools import pairwise

from domain.graphs import (
    OUT,
    Definition,
    Edge,
    FailureStrategy,
    Graph,
    Node,
    OnError,
    Retry,
    Variable,
    WorkflowSettings,
)
from domain.json import JSON, JSONObject

AT_ONCE = Retry(max_attempts=3, initial_delay=0.0, jitter=False)


def step(
    name: str,
    kind: str,
    *,
    retry: Retry | None = None,
    limit: float | None = None,
    on_error: OnError = OnError.FAIL,
    **config: JSON,
) -> Node:
    """A node; `limit` is its timeout, since `timeout` may be a key of its config."""
    return Node(id=name, kind=kind, config=config, retry=retry or Retry(), timeout=limit, on_error=on_error)


def http(
    name: str,
    url: str,
    *,
    retry: Retry | None = None,
    limit: float | None = None,
    on_error: OnError = OnError.FAIL,
    **config: JSON,
) -> Node:
    return step(name, "http", retry=retry, limit=limit, on_error=on_error, url=url, **config)


def give(name: str, **values: JSON) -> Node:
    """A `set` node whose output is these values alone."""
    return step(name, "set", values=values, keepOnly=True)


def edges(*ways: str) -> Sequence[Edge]:
    """`edges("start > check", "check:true > yes > end")`: chains, a handle after a colon."""
    made: list[Edge] = []
    for way in ways:
        stations = way.split(" > ")
        for source, target in pairwise(stations):
            name, _, handle = source.partition(":")
            made.append(Edge(source=name, target=target.partition(":")[0], source_handle=handle or OUT))
    return made


def flow(
    *parts: Node | str | Edge,
    timeout: float | None = None,
    strategy: FailureStrategy = FailureStrategy.FAIL,
    variables: JSONObject | None = None,
) -> Definition:
    """These nodes with a trigger called `start`, and these ways between them."""
    nodes = [part for part in parts if isinstance(part, Node)]
    return Definition(
        graph=Graph(
            nodes=(Node(id="start", kind="trigger"), *nodes),
            edges=(
                *edges(*(part for part in parts if isinstance(part, str))),
                *(part for part in parts if isinstance(part, Edge)),
            ),
        ),
        settings=WorkflowSettings(timeout=timeout, on_failure=strategy),
        variables={name: Variable(default=value) for name, value in (variables or {}).items()},
    )
