"""The shape of a workflow document from outside: keys, types and what each key is for.

Only shapes: whether a graph makes sense is `domain.validation`'s to say, so that a draft may be incomplete.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NodeId = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Handle = Annotated[str, Field(min_length=1, max_length=64)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=10_000)]
Name = Annotated[str, Field(max_length=200)]
Anything = object


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=_camel)


class PositionShape(Shape):
    x: Seconds = 0.0
    y: Seconds = 0.0


class RetryShape(Shape):
    max_attempts: int = Field(1, description="Attempts in all; 1 is no retry.")
    backoff: Literal["fixed", "linear", "exponential"] = Field("exponential", description="How delays grow.")
    initial_delay: Seconds = Field(1.0, description="Seconds before the second attempt.")
    max_delay: Seconds = Field(60.0, description="The longest delay, in seconds.")
    jitter: bool = Field(True, description="Whether delays are spread at random.")
    retry_on: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list[str], description="Error codes that are tried again; empty: all that may be."
    )


class EachShape(Shape):
    items: Anything = Field(description="The list, or an expression that gives one.")
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = Field(1, description="How many run at once.")
    error_handling: Literal["stop", "continue", "collect"] = Field(
        "stop", description="Whether a failed element ends the others, is null, or its error."
    )


class LockShape(Shape):
    name: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(
        description="The lock's name, shared by all executions of the tenant; may be a template."
    )
    limit: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="How many steps may hold it at once.")
    timeout: Seconds | None = Field(None, description="Seconds to wait for it before the step fails.")


class CacheShape(Shape):
    ttl: Seconds = Field(description="Seconds for which a result may be used again.")
    key: Annotated[str, Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="What results of one kind are told apart by, a template; else by config and input."
    )


class CompensationShape(Shape):
    kind: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="The node kind that undoes it.")
    config: dict[str, Anything] = Field(default_factory=dict[str, Anything], description="What its kind asks for.")
    retry: RetryShape | None = Field(None, description="How often a failed attempt is repeated.")
    timeout: Seconds | None = Field(None, description="Seconds one attempt may take.")


class NodeShape(Shape):
    id: NodeId = Field(description="A letter, then up to 63 letters, digits, '-' or '_'; unique in the graph.")
    kind: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="The node kind, such as `http`.")
    name: Name = Field("", description="What people see; the id when empty.")
    position: PositionShape | None = Field(None, description="Where an editor draws the node.")
    config: dict[str, Anything] = Field(default_factory=dict[str, Anything], description="What its kind asks for.")
    retry: RetryShape | None = Field(None, description="How often and when a failed attempt is repeated.")
    timeout: Seconds | None = Field(None, description="Seconds one attempt may take.")
    on_error: Literal["fail", "continue", "route"] = Field("fail", description="What its final failure means.")
    each: Anything = Field(None, description="Run once per element of this list.")
    join: Literal["all", "any", "first", "n", "each"] | None = Field(
        None, description="How many incoming edges it awaits."
    )
    lock: Anything = Field(None, description="The named lock it holds while it runs.")
    cache: Anything = Field(None, description="How long its result may be reused.")
    at_most_once: bool = Field(False, description="Never run again by itself when its outcome is unknown.")
    compensation: Anything = Field(None, description="What undoes it.")
    notes: Text = Field("", description="For readers.")
    disabled: bool = Field(False, description="Passed over when it runs.")


class EdgeShape(Shape):
    source: str = Field(description="The id of the node it leaves.")
    target: str = Field(description="The id of the node it leads to.")
    source_handle: Handle = Field("out", description="The output it leaves from.")
    target_handle: Handle = Field("in", description="The input it leads to.")
    condition: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="An expression; the edge is taken only if it is true."
    )
    max_iterations: int | None = Field(None, description="How often an edge that closes a cycle is taken.")


class GraphShape(Shape):
    nodes: list[NodeShape] = Field(description="The steps.")
    edges: list[EdgeShape] = Field(default_factory=list[EdgeShape], description="What follows what.")


class VariableShape(Shape):
    default: Anything = Field(None, description="Its value unless a start gives another.")
    description: Text = Field("", description="For readers.")


Variables = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")], VariableShape]


class ConcurrencyShape(Shape):
    max: int | None = Field(None, description="Executions at once.")
    per_minute: int | None = Field(None, description="Executions started per minute.")


class FailureShape(Shape):
    strategy: Literal["fail", "continue", "compensate"] = Field("fail", description="What a failed node means.")
    handler: Name | None = Field(None, description="The workflow started when an execution fails.")


class SettingsShape(Shape):
    timeout: Seconds | None = Field(None, description="Seconds an execution may take.")
    concurrency: ConcurrencyShape | None = Field(None, description="How many executions run at once.")
    on_error: FailureShape | None = Field(None, description="What a failure means for the execution.")


class TriggerShape(Shape):
    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="Such as `webhook`.")


class DocumentShape(GraphShape):
    weir: Literal[1] = Field(1, description="The version of this format: 1.")
    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The workflow's name.")
    description: Text = Field("", description="For readers.")
    category: Name = Field("", description="Where lists file it.")
    tags: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list[str], description="Words to find it by."
    )
    variables: Variables = Field(default_factory=dict[str, VariableShape], description="Values all nodes see.")
    settings: SettingsShape | None = Field(None, description="Limits and what a failure means.")
    triggers: list[TriggerShape] = Field(default_factory=list[TriggerShape], description="What starts it.")
    demo: str | None = Field(None, description="A demo server for local runs.")
    input_schema: dict[str, Anything] | bool | None = Field(None, description="JSON Schema of the input.")
    output_schema: dict[str, Anything] | bool | None = Field(None, description="JSON Schema of the output.")


class VariablesShape(Shape):
    variables: Variables
