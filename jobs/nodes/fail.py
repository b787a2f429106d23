"""The `fail` node: ends the execution as failed, on purpose."""

from pydantic import Field

from domain.engine.outcomes import Ended, Outcome
from domain.json import JSON
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.texts import as_text


class FailConfig(NodeConfig):
    message: object = Field(description="What went wrong, for whoever reads the execution's error.")


async def run(step: StepContext, config: FailConfig) -> Outcome:
    message: JSON = step.config["message"]
    return Ended(message=as_text(message))


KIND = define(
    name="fail",
    title="Fail",
    description="Ends the execution as failed, with a message.",
    category=NodeCategory.OUTPUT,
    config=FailConfig,
    run=run,
    outputs=(),
    documentation="""
The execution ends at once with the status FAILED and this message; running branches are cancelled. The node's
`onError` does not matter: this is no error of the node.

Use it for what must be seen as a failure. An order that is turned down is none: end such a run with `end`.
""",
    examples={"Say why": {"message": "The invoice {{ input.number }} has no supplier"}},
)
