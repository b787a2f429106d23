"""The `subworkflow` node: runs another workflow as a step."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from domain.children import Call
from domain.engine.outcomes import Calling, Cause, ChildEnded, Completed, Failed, Outcome
from domain.errors import Finding, Refusal
from domain.expressions import Template
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define, unexpected
from jobs.nodes.environments import environment_of
from jobs.nodes.fields import Compiled

OutputTemplate = Annotated[Template, Compiled("template", ("output",))]


class SubworkflowConfig(NodeConfig):
    workflow: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The workflow's name or id.")
    version: Annotated[int, Field(ge=1)] | None = Field(
        None, description="A published version; the active one if left out."
    )
    input: object = Field(None, description="Its input; the node's own input when left out.")
    variables: dict[str, object] = Field(default_factory=dict[str, object], description="Values for its variables.")
    output: OutputTemplate | None = Field(None, description="The node's output, made from its output, which is output.")
    on_error: Literal["propagate", "catch", "ignore"] = Field(
        "propagate", description="A failed child fails the node, takes its error output, or counts as null."
    )
    wait: bool = Field(True, description="Whether the node waits for its end; else its output is {executionId}.")


async def run(step: StepContext, config: SubworkflowConfig) -> Outcome:
    variables = step.config.get("variables")
    call = Call(
        workflow=config.workflow,
        version=config.version,
        input=step.config.get("input", step.input),
        variables=variables if isinstance(variables, dict) else {},
        caller=step.execution_id,
        depth=step.depth,
        environment=environment_of(step.scope),
        path=step.path if config.wait else None,
    )
    try:
        child = await step.services.children.prepare(call)
    except Refusal as refusal:
        failed = Failed(
            code=f"SUBWORKFLOW_{refusal.code.value}", message=refusal.message, retryable=False, remedy=refusal.remedy
        )
        return _settled(config, failed)
    return Calling(child=child, workflow=config.workflow, wait=config.wait)


async def resume(step: StepContext, config: SubworkflowConfig, cause: Cause) -> Outcome:
    if not isinstance(cause, ChildEnded):
        return unexpected(cause)
    if cause.status == "COMPLETED":
        output: JSON = cause.output
        if config.output is not None:
            output = await step.services.render(config.output, {**step.scope, "output": cause.output})
        return Completed(output=output)
    error = cause.error or {"code": "CHILD_CANCELLED", "message": "The sub-workflow was cancelled"}
    failed = Failed(
        code=str(error.get("code", "CHILD_FAILED")),
        message=f"The workflow {config.workflow} failed: {error.get('message', '')}",
        retryable=True,
        details={"execution": cause.execution, "error": error},
    )
    return _settled(config, failed)


def _settled(config: SubworkflowConfig, failed: Failed) -> Outcome:
    match config.on_error:
        case "propagate":
            return failed
        case "catch":
            return Failed(
                code=failed.code,
                message=failed.message,
                retryable=False,
                remedy=failed.remedy,
                details=failed.details,
                caught=True,
            )
        case "ignore":
            return Completed(output=None, handles=(OUT,), decision={"ignored": failed.as_json()})


def rules(config: JSONObject) -> Iterator[Finding]:
    if config.get("wait") is False and config.get("onError", "propagate") != "propagate":
        yield Finding(
            code="BAD_SUBWORKFLOW",
            message="Without waiting for its end, the node never hears of a failure",
            path=("onError",),
            remedy="Leave onError out, or wait.",
        )


KIND = define(
    name="subworkflow",
    title="Sub-workflow",
    description="Runs another workflow and goes on with its output.",
    category=NodeCategory.FLOW,
    config=SubworkflowConfig,
    run=run,
    resume=resume,
    rules=rules,
    outputs=(OUT, ERROR),
    documentation="""
Begins an execution of `workflow` with `input` and, unless `wait` is false, goes on when that is over. The child is an
execution of its own: with its own log, limits and failure handling, shown below this one. It runs in this execution's
environment the version that is active there at that moment, or the `version` named.

| onError | a child that fails or is cancelled |
|---|---|
| `propagate` | fails the node with the child's error; `retry` begins a new child |
| `catch` | takes the `error` output, where it is `error` |
| `ignore` | counts as done; the output is null |

When the step is cancelled, so is the child. A workflow may call itself; executions call each other at most 20 deep.
""",
    examples={
        "Invoice every order": {"workflow": "Invoice", "input": {"order": "{{ input.id }}"}},
        "A pinned version, its failure taken up": {"workflow": "Risk check", "version": 3, "onError": "catch"},
        "Begin it and go on": {"workflow": "Send survey", "wait": False},
    },
)
