"""The `ai` node: asks a language model that speaks OpenAI's chat protocol."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec.structs import replace
from pydantic import Field

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding, Refusal
from domain.expressions.templates import text_of
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import NodeCategory
from domain.validation.inputs import check_input
from domain.validation.json_schemas import schema_findings
from jobs.chat import Answer, Chat, Message, Tokens
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import ConnectionOf, closed
from jobs.nodes.refusals import refused

ROUNDS: Final = 2
"""How often the model is asked: once, and once more when its answer does not fit the schema."""
_SHOWN_PROBLEMS: Final = 10


class AiMessage(NodeConfig):
    role: Literal["system", "user", "assistant"] = Field(description="Who says it.")
    content: str = Field(description="What is said.")


class AiConfig(NodeConfig):
    connection: Annotated[str, Field(min_length=1, max_length=200), ConnectionOf("openai")] = Field(
        description="The name of a connection of type openai."
    )
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The model's name; the connection's when left out."
    )
    prompt: object = Field(None, description="What is asked; a value that is no text is sent as JSON.")
    system: Annotated[str, Field(min_length=1)] | None = Field(None, description="How the model is to behave.")
    messages: list[AiMessage] = Field(
        default_factory=list[AiMessage], description="What was said before, oldest first."
    )
    answer_schema: dict[str, object] | None = Field(
        None, alias="schema", title="Schema", description="The JSON Schema of the answer; free text when left out."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        None, description="0 for the likeliest words, more for variety; the model's own when left out."
    )
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="The most tokens of an answer; the model's own limit when left out."
    )


async def run(step: StepContext, config: AiConfig) -> Outcome:
    try:
        connection = await step.services.connections.get(config.connection)
    except Refusal as refusal:
        return refused(refusal)
    model = config.model or connection.settings.get("model")
    if not isinstance(model, str):
        message = f"Neither the node nor the connection {connection.name!r} names a model"
        return Failed(code="CONFIG_INVALID", message=message, retryable=False, remedy="Give the node a model.")
    schema = step.config.get("schema")
    chat = Chat(
        connection=connection,
        model=model,
        schema=as_object(schema) if schema is not None else None,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
    )
    return await _asked(step, chat, _messages(step, config))


def _messages(step: StepContext, config: AiConfig) -> list[Message]:
    messages = [Message(role="system", content=config.system)] if config.system else []
    messages += [Message(role=each.role, content=each.content) for each in config.messages]
    prompt = step.config.get("prompt")
    return messages if prompt is None else [*messages, Message(role="user", content=text_of(prompt))]


async def _asked(step: StepContext, chat: Chat, messages: list[Message]) -> Outcome:
    tokens = Tokens()
    problems: list[Finding] = []
    for round in range(1, ROUNDS + 1):
        answer, took = await chat.ask(step, messages, round)
        tokens += took
        if isinstance(answer, Failed):
            return replace(answer, usage=tokens.as_json())
        value, problems = _read(chat, answer)
        if not problems:
            output: dict[str, JSON] = {"answer": value, "model": answer.model, "usage": tokens.as_json()}
            return Completed(output=output, usage=tokens.as_json())
        messages = [*messages, Message(role="assistant", content=answer.text), _correction(problems)]
    return Failed(
        code="AI_ANSWER_INVALID",
        message=f"The answer does not fit the schema, nor did a second one: {problems[0].message}",
        remedy="Describe the fields in the schema, ask for less at once, or use another model.",
        details={"answer": messages[-2].content[:2_000], "problems": [each.message for each in problems]},
        usage=tokens.as_json(),
    )


def _read(chat: Chat, answer: Answer) -> tuple[JSON, list[Finding]]:
    if chat.schema is None:
        return answer.text, []
    try:
        value = answer.value()
    except ValueError:
        return None, [Finding(code="NOT_JSON", message="The answer is no JSON")]
    return value, check_input(chat.schema, value)[:_SHOWN_PROBLEMS]


def _correction(problems: list[Finding]) -> Message:
    told = "\n".join(f"- {each.message}" for each in problems)
    content = f"That does not fit the JSON Schema:\n{told}\nAnswer again, with the corrected JSON and nothing else."
    return Message(role="user", content=content)


def rules(config: JSONObject) -> Iterator[Finding]:
    if config.get("prompt") is None and not as_list(config.get("messages")) and "{{" not in str(config.get("messages")):
        yield Finding(code="MISSING", message="There is nothing to ask", path=("prompt",), remedy="Give a prompt.")
    schema = config.get("schema")
    if not isinstance(schema, str):
        yield from schema_findings(schema, ("schema",))


def output(config: JSONObject) -> JSONObject:
    schema = config.get("schema")
    answer = {"type": "string"} if schema is None else as_object(schema)
    count: JSONObject = {"type": "integer"}
    usage = closed({"promptTokens": count, "completionTokens": count, "totalTokens": count})
    return closed(
        {
            "answer": {**answer, "description": "The text; with a schema, the value."},
            "model": {"type": "string", "description": "Which model answered."},
            "usage": {**usage, "description": "The tokens it took."},
        }
    )


KIND = define(
    name="ai",
    title="Language model",
    description="Asks a language model, for text or for data of a given shape.",
    category=NodeCategory.INTEGRATION,
    config=AiConfig,
    run=run,
    rules=rules,
    output=output,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
The output is `{answer, model, usage}`: the text, or with a `schema` the value; which model answered; and the tokens it
took, `{promptTokens, completionTokens, totalTokens}`, which the step's log carries too.

The `connection` is of type `openai`: any service that speaks OpenAI's chat protocol, with its `baseUrl` and the secret
`apiKey`.

**Structured answers.** With a `schema` the model is asked for JSON of that shape (`response_format`), and the answer is
checked by it here. One that does not fit is sent back once, with what is wrong. Most services want the schema's type to
be `object`.

**Errors.** `AI_STATUS` is an answer with another status than 2xx; 408, 429 and 5xx are tried again when the node has a
`retry`, not before a `Retry-After` has passed. `AI_REFUSED`: the model will not answer. `AI_FILTERED`: a content filter
stopped it. `AI_TRUNCATED`: the answer is longer than `maxTokens`. `AI_ANSWER_INVALID`: two answers that do not fit the
schema, or a response that is none of the protocol. `CIRCUIT_OPEN`: the service has failed too often lately; beyond
these those of the `http` node. Without a `timeout` on the node a call may take two minutes.

A model's answer is text of a stranger: check what depends on it, and leave it no decision that needs a person.
""",
    examples={
        "Sort tickets": {
            "connection": "model",
            "system": "You sort support tickets.",
            "prompt": "Which team is this for?\n\n{{ input.text }}",
            "schema": {
                "type": "object",
                "properties": {
                    "team": {"enum": ["billing", "technical", "sales"]},
                    "urgent": {"type": "boolean", "description": "Whether somebody cannot work."},
                },
                "required": ["team", "urgent"],
                "additionalProperties": False,
            },
            "temperature": 0,
        },
        "A summary": {
            "connection": "model",
            "model": "gpt-4o-mini",
            "prompt": "Sum this up in three sentences:\n\n{{ input.body }}",
            "maxTokens": 300,
        },
    },
)
