"""The `cancel` node: ends other steps of the same graph."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.errors import Finding
from domain.json import JSONObject
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class CancelConfig(NodeConfig):
    nodes: Annotated[list[str], Field(min_length=1, max_length=1_000)] = Field(
        description="The ids of the nodes whose steps are no longer wanted."
    )


async def run(step: StepContext, config: CancelConfig) -> Outcome:
    return Completed(output=step.input, cancels=tuple(config.nodes))


def rules(config: JSONObject) -> Iterator[Finding]:
    if isinstance(config.get("nodes"), str):
        message = "'nodes' cannot be an expression: what is cancelled is part of the graph"
        yield Finding(code="BAD_CANCEL", message=message, path=("nodes",), remedy="Write the ids.")


KIND = define(
    name="cancel",
    title="Cancel",
    description="Ends other steps of the same graph.",
    category=NodeCategory.FLOW,
    config=CancelConfig,
    run=run,
    rules=rules,
    output=INPUT,
    documentation="""
The steps of these nodes that run or wait are cancelled, and those that have not begun are skipped: nothing goes on
behind them, and a join does not wait for them. What is finished stays finished. The input goes on unchanged.

It reaches the nodes of its own graph; inside a loop's body, those of the same iteration.
""",
    examples={"Stop asking": {"nodes": ["reminder", "escalation"]}},
)
