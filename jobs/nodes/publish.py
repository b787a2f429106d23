"""The `publish` node: appends a message to a stream."""

from typing import Annotated, Final

from pydantic import Field

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Refusal
from domain.ids import encode
from domain.json import JSON
from domain.nodes import NodeCategory
from domain.quotas import QuotaReached
from domain.streams import MAX_KEY, MAX_NAME, NewMessage, check_message
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import closed


class PublishConfig(NodeConfig):
    stream: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] = Field(description="The stream's name.")
    message: object = Field(description="What is published: any value.")
    key: Annotated[str, Field(max_length=MAX_KEY)] | None = Field(
        None, description="What it is about: messages with one key stay in their order."
    )


async def run(step: StepContext, config: PublishConfig) -> Outcome:
    message = NewMessage(
        stream=config.stream,
        payload=step.config["message"],
        key=config.key,
        published_by=encode("execution", step.execution_id),
        idempotency_key=step.idempotency_key,
    )
    try:
        check_message(message)
    except Refusal as refusal:
        return Failed(code="MESSAGE_INVALID", message=refusal.message, retryable=False, remedy=refusal.remedy)
    try:
        seq = await step.services.streams.publish(message)
    except QuotaReached as full:
        return Failed(code=full.code.value, message=full.message, retryable=False, remedy=full.remedy)
    output: dict[str, JSON] = {"stream": config.stream, "seq": seq}
    return Completed(output=output)


OUTPUT: Final = closed(
    {
        "stream": {"type": "string", "description": "The stream's name."},
        "seq": {"type": "integer", "description": "The message's place in it, from 1."},
    }
)
KIND = define(
    name="publish",
    title="Publish",
    description="Appends a message to a stream.",
    category=NodeCategory.OUTPUT,
    config=PublishConfig,
    run=run,
    output=OUTPUT,
    effects=True,
    documentation="""
The stream is the tenant's, found by its name, and begins with its first message. When the node is done the message is
durable, and published once however often the step runs. The output is `{stream, seq}`: `seq` counts the stream's
messages from 1.
""",
    examples={
        "An order": {"stream": "orders", "key": "{{ input.customer }}", "message": "{{ input }}"},
        "A note": {"stream": "audit", "message": {"what": "refund", "order": "{{ input.orderId }}"}},
    },
)
