"""Running a node once per element of a list: what `each` makes of any node."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import ErrorHandling, Iterating, Outcome
from domain.graphs import Node, Retry
from domain.json import JSON, as_list
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.loop import resume

MAX_CONCURRENCY = 1_000


class EachConfig(NodeConfig):
    items: list[object] = Field(description="The list; an expression that gives one.")
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = Field(1, description="How many run at once.")
    error_handling: ErrorHandling = Field(
        ErrorHandling.STOP, strict=False, description="Whether a failed element ends the others, is null or its error."
    )


async def run(step: StepContext, config: EachConfig) -> Outcome:
    return Iterating(
        items=as_list(step.config["items"]),
        concurrency=config.concurrency,
        error_handling=config.error_handling,
    )


EACH = define(
    name="each",
    title="Each",
    description="Runs a node once per element of a list.",
    category=NodeCategory.FLOW,
    config=EachConfig,
    run=run,
    resume=resume,
    documentation="",
    examples={},
)
"""Not a kind of its own: what stands for a node with `each` in its graph."""


def each_config(each: JSON) -> JSON:
    """The config of `each` as written: a list or an expression, or an object with more than `items`."""
    return each if isinstance(each, Mapping) and "items" in each else {"items": each}


def over_elements(node: Node) -> Node:
    """The node that stands for `node` in its graph and runs it for every element."""
    config = each_config(node.each)
    return replace(
        node,
        config=config if isinstance(config, Mapping) else {},
        retry=Retry(),
        timeout=None,
        lock=None,
        cache=None,
        at_most_once=False,
        compensation=None,
    )
