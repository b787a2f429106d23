"""OpenAI's chat protocol as far as it is used: one request, and what its answer says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from domain.connections import Connection
from domain.engine.outcomes import Failed
from domain.json import JSON, JSONObject, as_list, as_object
from jobs.nodes.base import StepContext
from jobs.nodes.calls import call, masked, unexpected
from jobs.outgoing import OutgoingRequest, OutgoingResponse

DEFAULT_URL: Final = "https://api.openai.com/v1"
DEFAULT_TIMEOUT: Final = 120.0
_FENCED: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    prompt: int = 0
    completion: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(prompt=self.prompt + other.prompt, completion=self.completion + other.completion)

    def as_json(self) -> JSONObject:
        return {
            "promptTokens": self.prompt,
            "completionTokens": self.completion,
            "totalTokens": self.prompt + self.completion,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`model`: which one answered, as the service names it."""

    text: str
    model: str

    def value(self) -> JSON:
        """The text read as JSON, a code fence around it aside. Raises ValueError."""
        fenced = _FENCED.match(self.text)
        return orjson.loads(fenced[1] if fenced else self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How a model is asked. `schema`: the shape of the answers, None for text."""

    connection: Connection
    model: str
    schema: JSONObject | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    async def ask(self, step: StepContext, messages: Sequence[Message], round: int) -> tuple[Answer | Failed, Tokens]:
        """One request and what it took; `round` tells those of one attempt apart."""
        secret = self.connection.secrets.get("apiKey")
        request = OutgoingRequest(
            method="POST",
            url=str(self.connection.settings.get("baseUrl") or DEFAULT_URL).rstrip("/") + "/chat/completions",
            headers={
                "content-type": "application/json",
                "accept": "application/json",
                "idempotency-key": f"{step.idempotency_key}:{round}",
                **({"authorization": f"Bearer {secret}"} if secret else {}),
            },
            content=orjson.dumps(self._body(messages)),
            timeout=step.timeout or DEFAULT_TIMEOUT,
            follow_redirects=False,  # it would carry the key elsewhere
        )
        response = await call(step, self.connection, request)
        if isinstance(response, Failed):
            return response, Tokens()
        body = _read(response)
        if not 200 <= response.status < 300:
            return unexpected(response, self.connection, step.at, code="AI_STATUS", says=_words(body)), Tokens()
        return self._answer(as_object(body)), _tokens(as_object(as_object(body).get("usage")))

    def _body(self, messages: Sequence[Message]) -> JSONObject:
        body: dict[str, JSON] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        if self.schema is not None:
            wanted = {"name": "answer", "schema": self.schema, "strict": _is_closed(self.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body

    def _answer(self, body: JSONObject) -> Answer | Failed:
        choice = as_object(next(iter(as_list(body.get("choices"))), None))
        message = as_object(choice.get("message"))
        text, refusal = message.get("content"), message.get("refusal")
        match choice.get("finish_reason"):
            case _ if isinstance(refusal, str) and refusal:
                return _failed("AI_REFUSED", f"The model will not answer: {refusal[:500]}", "Ask otherwise.")
            case "content_filter":
                return _failed("AI_FILTERED", "A content filter stopped the answer", "Ask otherwise.")
            case "length":
                remedy = "Raise maxTokens, or ask for less."
                return _failed("AI_TRUNCATED", "The answer is longer than it may be", remedy)
            case _ if isinstance(text, str):
                model = body.get("model")
                said = masked(text, self.connection).replace("\x00", "\ufffd")
                return Answer(text=said, model=model if isinstance(model, str) else self.model)
            case _:
                remedy = "Check the baseUrl of the connection: it should lead to a service with OpenAI's protocol."
                message = "The response has no message of the chat protocol"
                return Failed(code="AI_ANSWER_INVALID", message=message, remedy=remedy)


def _failed(code: str, message: str, remedy: str) -> Failed:
    return Failed(code=code, message=message, retryable=False, remedy=remedy)


def _read(response: OutgoingResponse) -> JSON:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def _words(body: JSON) -> str | None:
    """What a service says of an error: `{error: {message}}`, or `{error}` or `{message}` as text."""
    described = as_object(body)
    error = described.get("error")
    said = error.get("message") if isinstance(error, Mapping) else error or described.get("message")
    return said if isinstance(said, str) else None


def _tokens(usage: JSONObject) -> Tokens:
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Tokens(
        prompt=prompt if isinstance(prompt, int) else 0, completion=completion if isinstance(completion, int) else 0
    )


def _is_closed(schema: JSON) -> bool:
    """Whether every object in the schema names all its members as required and allows no other.

    The services that offer `strict` refuse any other schema with it.
    """
    if isinstance(schema, Mapping):
        if "properties" in schema or schema.get("type") == "object":
            named = set(as_object(schema.get("properties")))
            if schema.get("additionalProperties") is not False or named != set(as_list(schema.get("required"))):
                return False
        return all(_is_closed(member) for member in schema.values())
    return all(_is_closed(member) for member in as_list(schema))
