"""The `log` node: writes a line into the execution's log."""

from typing import Literal

from pydantic import Field

from domain.engine.outcomes import Completed, LogLevel, LogLine, Outcome
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.texts import as_text


class LogConfig(NodeConfig):
    message: object = Field(description="What to write; a value that is no text is written as JSON.")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How important it is.")


async def run(step: StepContext, config: LogConfig) -> Outcome:
    line = LogLine(level=LogLevel(config.level), message=as_text(step.config["message"]))
    return Completed(output=step.input, logs=(line,))


KIND = define(
    name="log",
    title="Log",
    description="Writes a line into the execution's log.",
    category=NodeCategory.OUTPUT,
    config=LogConfig,
    run=run,
    output=INPUT,
    documentation="""
The line is kept with the execution and shown live. The node passes its input on unchanged, so it can stand anywhere.
Lines are cut after 10,000 characters.
""",
    examples={
        "A line": {"message": "Order {{ input.orderId }} came in"},
        "A warning": {"level": "WARNING", "message": "No price for {{ input.sku }}"},
    },
)
