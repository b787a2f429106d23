"""The `trigger` node: where an execution begins."""

from domain.engine.outcomes import Completed, Outcome
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class TriggerConfig(NodeConfig):
    """Nothing to configure: what starts the workflow is said by its triggers."""


async def run(step: StepContext, config: TriggerConfig) -> Outcome:
    return Completed(output=step.input)


KIND = define(
    name="trigger",
    title="Trigger",
    description="Where an execution begins; gives its input.",
    category=NodeCategory.TRIGGER,
    config=TriggerConfig,
    run=run,
    inputs=(),
    entry=True,
    documentation="""
Every workflow begins with a `trigger` node. Its output is the execution's input, whoever started it: a person, the
API, a webhook or a schedule. Any other node reads the same value as `trigger`.

A graph may have several trigger nodes; all of them run when an execution starts.
""",
    examples={"Begin": {}},
)
