"""The `respond` node: the answer to the webhook that started the execution."""

from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.json import JSON
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define


class RespondConfig(NodeConfig):
    status: Annotated[int, Field(ge=200, le=599)] = Field(200, description="The HTTP status.")
    headers: dict[str, str] = Field(default_factory=dict[str, str], description="HTTP headers by name.")
    body: object = Field(None, description="The body; the node's input when left out. Objects are sent as JSON.")


async def run(step: StepContext, config: RespondConfig) -> Outcome:
    headers: dict[str, JSON] = dict(config.headers)
    body = step.config.get("body", step.input)
    return Completed(output={"status": config.status, "headers": headers, "body": body}, handles=())


KIND = define(
    name="respond",
    title="Respond",
    description="Answers the webhook that started the execution.",
    category=NodeCategory.OUTPUT,
    config=RespondConfig,
    run=run,
    outputs=(),
    result=True,
    documentation="""
For a webhook whose `response` is `respond`: the caller gets this status, these headers and this body. The execution's
output is the object `{status, headers, body}`.
""",
    examples={
        "Accepted": {"status": 202, "body": {"ticket": "{{ input.id }}"}},
        "Plain text": {"headers": {"content-type": "text/plain"}, "body": "Thank you, {{ trigger.body.name }}"},
    },
)
