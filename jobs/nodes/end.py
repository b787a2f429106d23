"""The `end` node: the execution's result."""

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class EndConfig(NodeConfig):
    output: object = Field(None, description="The execution's output; the node's input when left out.")
    terminate: bool = Field(False, description="Whether the execution is over here, whatever else still runs.")


async def run(step: StepContext, config: EndConfig) -> Outcome:
    return Completed(output=step.config.get("output", step.input), handles=(), terminates=config.terminate)


KIND = define(
    name="end",
    title="End",
    description="Gives the execution's output.",
    category=NodeCategory.OUTPUT,
    config=EndConfig,
    run=run,
    outputs=(),
    result=True,
    documentation="""
What reaches an `end` node becomes the execution's output. Branches that are still running go on; when several `end`
nodes are reached, the output is an object with one entry per node.

With `terminate: true` the execution is over at once: what still runs is cancelled, and this is its output.

A workflow needs no `end` node: without one, its output is that of the last nodes.
""",
    examples={
        "Pass on what came": {},
        "Compose the result": {"output": {"orderId": "{{ trigger.orderId }}", "status": "fulfilled"}},
    },
)
