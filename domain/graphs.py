"""A workflow as a value: nodes, edges, variables and settings, exactly as a person wrote them.

Durations are seconds. Values here are syntactically right (`domain.formats` made them); whether the graph makes
sense is `domain.validation`'s to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.json import JSON, JSONObject

OUT = "out"
ERROR = "error"
IN = "in"


class OnError(StrEnum):
    """What a node's final failure means: the execution fails, the flow goes on, or it takes the `error` handle."""

    FAIL = "fail"
    CONTINUE = "continue"
    ROUTE = "route"


class Backoff(StrEnum):
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Attempts in all (1 is no retry), and the delay between them in seconds.

    `retry_on` names error codes; empty means every error that calls itself retryable.
    """

    max_attempts: int = 1
    backoff: Backoff = Backoff.EXPONENTIAL
    initial_delay: float = 1.0
    max_delay: float = 60.0
    jitter: bool = True
    retry_on: tuple[str, ...] = ()


class JoinMode(StrEnum):
    """How many incoming edges a node waits for.

    `all`: every edge settled, at least one taken. `any`: the first taken. `first`: the first taken, and a failure
    before it is no failure of the execution. `n`: the n-th taken. `each`: none; it runs once for every edge taken.
    """

    ALL = "all"
    ANY = "any"
    FIRST = "first"
    N = "n"
    EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    id: str
    kind: str
    name: str = ""
    position: Position = Position()
    config: JSONObject = field(default_factory=dict[str, JSON])
    retry: Retry = Retry()
    timeout: float | None = None
    on_error: OnError = OnError.FAIL
    each: JSON = None
    join: JoinMode | None = None
    lock: JSON = None
    cache: JSON = None
    at_most_once: bool = False
    compensation: JSON = None
    notes: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`max_iterations` bounds how often an edge that closes a cycle is taken in one execution."""

    source: str
    target: str
    source_handle: str = OUT
    target_handle: str = IN
    condition: str | None = None
    max_iterations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()


class FailureStrategy(StrEnum):
    """`fail` stops the other branches at once; `continue` lets them finish first; `compensate` undoes."""

    FAIL = "fail"
    CONTINUE = "continue"
    COMPENSATE = "compensate"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSettings:
    timeout: float | None = None
    max_concurrent: int | None = None
    max_per_minute: int | None = None
    on_failure: FailureStrategy = FailureStrategy.FAIL
    failure_handler: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    default: JSON = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """A trigger as a document lists it; `config` is everything but its type."""

    type: str
    config: JSONObject = field(default_factory=dict[str, JSON])


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a version freezes: all that running and starting need."""

    graph: Graph = Graph()
    variables: Mapping[str, Variable] = field(default_factory=dict[str, Variable])
    settings: WorkflowSettings = WorkflowSettings()
    input_schema: JSON = None
    output_schema: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A workflow file: a definition with its name, triggers and, for local runs, a demo server."""

    name: str
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    definition: Definition = Definition()
    triggers: tuple[TriggerSpec, ...] = ()
    demo: str | None = None
