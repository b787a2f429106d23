"""The `loop` node: runs a graph again and again."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, assert_never

from pydantic import Field

from domain.conditions import Condition
from domain.engine.outcomes import (
    BodyFailed,
    Cause,
    ChildEnded,
    Completed,
    ErrorHandling,
    Failed,
    Iterating,
    IterationEnded,
    LoopEnded,
    Outcome,
    SignalArrived,
    TimerDue,
)
from domain.errors import Finding
from domain.expressions import Scope
from domain.json import JSON, JSONObject, as_list, is_list
from domain.nodes import NodeCategory
from domain.validation.models import shown
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.conditions import ConditionFailed, decide
from jobs.nodes.fields import Compiled

MAX_ITERATIONS = 100_000
MAX_CONCURRENCY = 1_000
_NAMES = ("item", "index", "output")

LoopCondition = Annotated[Condition, Compiled("condition", _NAMES)]
GraphField = Annotated[dict[str, object], Compiled("graph")]


class LoopConfig(NodeConfig):
    type: Literal["foreach", "for", "while"] = Field(
        "foreach", description="Once per element, a number of times, or as long as."
    )
    items: list[object] | None = Field(None, description="With foreach: the list; the node's input when left out.")
    times: Annotated[int, Field(ge=0, le=MAX_ITERATIONS)] | None = Field(None, description="With for: how often.")
    condition: LoopCondition | None = Field(None, description="With while: decided before every iteration.")
    break_when: LoopCondition | None = Field(
        None, description="Decided after every iteration, which gave output; when it is true the loop is over."
    )
    max_iterations: Annotated[int, Field(ge=1, le=MAX_ITERATIONS)] | None = Field(
        None, description="More iterations fail the node; 1,000 for while and 10,000 otherwise when left out."
    )
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = Field(1, description="How many run at once.")
    error_handling: ErrorHandling = Field(
        ErrorHandling.STOP,
        strict=False,
        description="A failed iteration stops the loop, counts as null (continue), or as its error (collect).",
    )
    enough: Annotated[int, Field(ge=1)] | None = Field(
        None, description="So many successful iterations end the loop; the others are cancelled."
    )
    results: Literal["all", "last"] = Field("all", description="Whether every result is kept, or the last one.")
    body: GraphField = Field(description="The graph: {nodes, edges}. Nodes without an incoming edge begin.")


async def run(step: StepContext, config: LoopConfig) -> Outcome:
    match config.type:
        case "while":
            return await _first_time(step, config)
        case "for":
            return _begun(step, config, None, config.times or 0)
        case "foreach":
            items = step.config.get("items", step.input)
            if not is_list(items):
                message = f"There is nothing to loop over: the items are {shown(items)}"
                return Failed(code="NOT_A_LIST", message=message, retryable=False, remedy="Give items a list.")
            return _begun(step, config, as_list(items), len(as_list(items)))
        case _:
            assert_never(config.type)


def _begun(step: StepContext, config: LoopConfig, items: JSON, count: int) -> Outcome:
    limit = config.max_iterations or 10_000
    if count > limit:
        return _too_many(limit, f"There are {count:,} to do")
    if count == 0:
        return Completed(output=_output(config, ()))
    return Iterating(
        items=as_list(items) if items is not None else None,
        count=count if items is None else None,
        concurrency=config.concurrency,
        error_handling=config.error_handling,
        ask=config.break_when is not None,
        enough=config.enough,
        keep_last=config.results == "last",
    )


async def _first_time(step: StepContext, config: LoopConfig) -> Outcome:
    if config.condition is None:
        return Failed(code="CONFIG_INVALID", message="A while loop needs a condition", retryable=False)
    scope = {**step.scope, "index": 0, "item": None, "output": None}
    try:
        verdict = await decide(config.condition, scope, step.services)
    except ConditionFailed as failed:
        return failed.as_outcome()
    if not verdict.result:
        return Completed(output=_output(config, ()), decision=verdict.trace)
    return Iterating(
        error_handling=config.error_handling,
        ask=True,
        enough=config.enough,
        keep_last=config.results == "last",
        decision=verdict.trace,
    )


async def resume(step: StepContext, config: NodeConfig, cause: Cause) -> Outcome:
    """What follows when the body says something; also that of `each`."""
    match cause:
        case IterationEnded():
            return await _go_on(step, config, cause) if isinstance(config, LoopConfig) else Iterating()
        case LoopEnded(results=results):
            last = isinstance(config, LoopConfig) and config.results == "last"
            return Completed(output=(results[-1] if results else None) if last else list(results))
        case BodyFailed(index=index, error=error, path=path):
            details = error.get("details")
            return Failed(
                code=str(error.get("code", "ITERATION_FAILED")),
                message=f"Iteration {index}: {error.get('message', 'failed')}",
                retryable=False,
                details={**(details if isinstance(details, Mapping) else {}), "path": path},
            )
        case SignalArrived() | TimerDue() | ChildEnded():
            return Failed(code="UNEXPECTED", message="A loop waits for nothing but its body", retryable=False)
        case _:
            assert_never(cause)


async def _go_on(step: StepContext, config: LoopConfig, ended: IterationEnded) -> Outcome:
    scope: Scope = {**step.scope, "item": ended.item, "index": ended.index, "output": ended.result}
    try:
        if config.break_when is not None:
            verdict = await decide(config.break_when, scope, step.services)
            if verdict.result:
                return Iterating(stop=True, decision={"breakWhen": verdict.trace})
        if ended.more is not None:
            return Iterating()
        limit = config.max_iterations or 1_000
        if config.condition is None:
            return Failed(code="CONFIG_INVALID", message="A while loop needs a condition", retryable=False)
        verdict = await decide(config.condition, {**scope, "index": ended.index + 1}, step.services)
    except ConditionFailed as failed:
        return failed.as_outcome()
    if verdict.result and ended.index + 1 >= limit:
        return _too_many(limit, "The condition is still true")
    return Iterating(stop=not verdict.result, decision=verdict.trace)


def _too_many(limit: int, why: str) -> Failed:
    return Failed(
        code="MAX_ITERATIONS",
        message=f"{why}; the loop's maximum is {limit:,} iterations",
        retryable=False,
        remedy="Raise maxIterations, or loop over less.",
    )


def _output(config: LoopConfig, results: tuple[JSON, ...]) -> JSON:
    return list(results) if config.results == "all" else None


def rules(config: JSONObject) -> Iterator[Finding]:
    type_ = config.get("type", "foreach")
    wanted = {"for": "times", "while": "condition"}.get(str(type_))
    if wanted is not None and wanted not in config:
        message = f"A {type_} loop needs {wanted!r}"
        yield Finding(code="MISSING", message=message, path=(wanted,), remedy="Say how often, or as long as what.")
    for key, owner in (("items", "foreach"), ("times", "for"), ("condition", "while")):
        if key in config and type_ != owner:
            message = f"{key!r} belongs to a {owner} loop, not to a {type_} loop"
            yield Finding(code="UNKNOWN_KEY", message=message, path=(key,), remedy="Leave it out, or change the type.")
    one_at_a_time = "breakWhen" in config or type_ == "while"
    if one_at_a_time and config.get("concurrency", 1) != 1:
        yield Finding(
            code="BAD_LOOP",
            message="A loop with breakWhen, and a while loop, runs one iteration at a time",
            path=("concurrency",),
            remedy="Leave concurrency out; to stop concurrent iterations early, use enough.",
        )
    for key in ("type", "results", "errorHandling"):
        if isinstance(config.get(key), str) and "{{" in str(config[key]):
            message = f"{key!r} cannot be an expression: it is part of the graph"
            yield Finding(code="BAD_LOOP", message=message, path=(key,), remedy="Write the value.")


def output(config: JSONObject) -> JSONObject:
    return {} if config.get("results") == "last" else {"type": "array"}


KIND = define(
    name="loop",
    title="Loop",
    description="Runs a graph for every element of a list, a number of times, or as long as a condition holds.",
    category=NodeCategory.FLOW,
    config=LoopConfig,
    run=run,
    resume=resume,
    rules=rules,
    output=output,
    body=True,
    documentation="""
| type | the body runs | `item` | ends |
|---|---|---|---|
| `foreach` | once per element of `items`, or of the node's input | the element | with the last one |
| `for` | `times` times | the number of the iteration | with the last one |
| `while` | as long as `condition` holds, which is decided before each iteration | – | when it is false |

The `body` is a graph of its own: `{nodes, edges}`. What begins has no incoming edge and gets the `item` as its input.
Expressions in it see `item` and `index` (from 0), the steps before the loop, and the loop itself as
`steps.<loop>.item`, `.index` and `.last`, the result of the iteration before: an inner loop sees the outer one so.

An iteration's result is the output of the `end` node it reaches, else of its last nodes. The loop's output is the list
of the results, in order; with `results: last` only the last one.

`breakWhen` is decided after each iteration, which it sees as `item`, `index` and `output`. With `concurrency`
several iterations run at once; `enough` ends the loop after so many successful ones and cancels the rest. A failed
iteration stops the loop and fails the node (`errorHandling: stop`), counts as null (`continue`), or as
`{error, index, item}` (`collect`).

Paths name the iteration: `loop[3].price`. A finished iteration is known by its result alone.
""",
    examples={
        "Every line of an order": {
            "items": "{{ input.lines }}",
            "concurrency": 5,
            "body": {
                "nodes": [{"id": "double", "kind": "set", "config": {"values": {"q": "{{ item.quantity * 2 }}"}}}]
            },
        },
        "Three times": {
            "type": "for",
            "times": 3,
            "body": {"nodes": [{"id": "say", "kind": "log", "config": {"message": "Round {{ index }}"}}]},
        },
        "Until it is paid": {
            "type": "while",
            "condition": "{{ output == null || output.paid == false }}",
            "maxIterations": 20,
            "body": {
                "nodes": [
                    {"id": "pause", "kind": "delay", "config": {"seconds": 60}},
                    {"id": "ask", "kind": "http", "config": {"url": "{{ vars.api }}/invoice"}},
                ],
                "edges": [{"source": "pause", "target": "ask"}],
            },
        },
    },
)
