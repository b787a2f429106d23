"""The ai node against a real server of the protocol: what it asks, what it makes of answers, how it fails."""

from collections.abc import AsyncGenerator

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.json import JSON, JSONObject
from jobs.nodes.ai import KIND
from tests.unit.chat_server import KEY, ChatServer, chat_server
from weir_kit import check_config, connection, run_node

SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "sales"]}, "urgent": {"type": "boolean"}},
    "required": ["team", "urgent"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
async def model() -> AsyncGenerator[ChatServer]:
    async with chat_server() as server:
        yield server


@pytest.fixture(autouse=True)
def forget(model: ChatServer) -> None:
    model.replies.clear()
    model.asked.clear()


async def ask(
    server: ChatServer, /, *, key: str = KEY, named: str | None = "tiny", input: JSON = None, **config: JSON
) -> Outcome:
    settings: JSONObject = {"baseUrl": server.base_url, **({"model": named} if named else {})}
    held = connection("model", type="openai", settings=settings, secrets={"apiKey": key})
    given: JSONObject = {"connection": "model", **config}
    return await run_node(KIND, given, input=input, connections=[held], allow=[server.host])


async def failed(server: ChatServer, /, *, key: str = KEY, named: str | None = "tiny", **config: JSON) -> Failed:
    outcome = await ask(server, key=key, named=named, **config)
    assert isinstance(outcome, Failed), outcome
    return outcome


def usage(rounds: int = 1) -> JSONObject:
    return {"promptTokens": 10 * rounds, "completionTokens": 5 * rounds, "totalTokens": 15 * rounds}


async def test_a_text_is_asked_for_with_what_was_said_before(model: ChatServer) -> None:
    model.says("Because of scattering.")

    outcome = await ask(
        model,
        system="Be brief.",
        messages=[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}],
        prompt="Why is the {{ input.what }} blue?",
        temperature=0.5,
        maxTokens=100,
        input={"what": "sky"},
    )

    assert outcome == Completed(
        output={"answer": "Because of scattering.", "model": "tiny-1", "usage": usage()}, usage=usage()
    )
    [asked] = model.asked
    assert asked.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": "Why is the sky blue?"},
        ],
        "temperature": 0.5,
        "max_tokens": 100,
    }
    assert asked.headers["idempotency-key"] == "execution:node:1"


async def test_the_node_s_model_goes_before_the_connection_s_and_one_is_needed(model: ChatServer) -> None:
    model.says("x")
    await ask(model, model="other", prompt="x")

    neither = await failed(model, named=None, prompt="x")

    assert [asked.body["model"] for asked in model.asked] == ["other"]
    assert (neither.code, neither.retryable) == ("CONFIG_INVALID", False)


async def test_a_prompt_that_is_no_text_is_sent_as_json(model: ChatServer) -> None:
    model.says("x")

    await ask(model, prompt="{{ input }}", input={"a": [1]})

    assert model.asked[0].body["messages"] == [{"role": "user", "content": '{"a":[1]}'}]


async def test_an_answer_of_a_shape_is_asked_for_and_given_as_a_value(model: ChatServer) -> None:
    model.says('```json\n{"team": "sales", "urgent": false}\n```')

    outcome = await ask(model, prompt="Sort this.", schema=SCHEMA)

    assert isinstance(outcome, Completed)
    assert outcome.output == {"answer": {"team": "sales", "urgent": False}, "model": "tiny-1", "usage": usage()}
    assert model.asked[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }


async def test_strict_is_left_out_where_services_would_refuse_the_schema_with_it(model: ChatServer) -> None:
    model.says("{}")
    schema: JSONObject = {"type": "object", "properties": {"team": {"type": "string"}}}

    await ask(model, prompt="x", schema=schema)

    wanted = {"name": "answer", "schema": schema, "strict": False}
    assert model.asked[0].body["response_format"] == {"type": "json_schema", "json_schema": wanted}


async def test_an_answer_that_does_not_fit_is_sent_back_once_with_what_is_wrong(model: ChatServer) -> None:
    model.says('{"team": "support"}')
    model.says('{"team": "billing", "urgent": true}')

    outcome = await ask(model, prompt="Sort this.", schema=SCHEMA)

    assert outcome == Completed(
        output={"answer": {"team": "billing", "urgent": True}, "model": "tiny-1", "usage": usage(2)}, usage=usage(2)
    )
    first, second = model.asked
    assert second.body["messages"] == [
        {"role": "user", "content": "Sort this."},
        {"role": "assistant", "content": '{"team": "support"}'},
        {
            "role": "user",
            "content": "That does not fit the JSON Schema:\n"
            "- team: 'support' is not one of ['billing', 'sales']\n"
            "- urgent is missing\n"
            "Answer again, with the corrected JSON and nothing else.",
        },
    ]
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


async def test_two_answers_that_do_not_fit_are_an_error_that_says_what_they_took(model: ChatServer) -> None:
    model.says("Certainly!")
    model.says("{}")

    outcome = await failed(model, prompt="Sort this.", schema=SCHEMA)

    assert (outcome.code, outcome.retryable, outcome.usage) == ("AI_ANSWER_INVALID", True, usage(2))
    assert outcome.details == {"answer": "{}", "problems": ["team is missing", "urgent is missing"]}


@pytest.mark.parametrize(
    ("finish", "refusal", "code", "message"),
    [
        ("stop", "I will not.", "AI_REFUSED", "The model will not answer: I will not."),
        ("content_filter", None, "AI_FILTERED", "A content filter stopped the answer"),
        ("length", None, "AI_TRUNCATED", "The answer is longer than it may be"),
    ],
)
async def test_answers_that_are_none_fail_for_good(
    model: ChatServer, finish: str, refusal: str | None, code: str, message: str
) -> None:
    model.says(None if refusal else '{"team"', finish=finish, refusal=refusal)

    outcome = await failed(model, prompt="x", schema=SCHEMA)

    assert (outcome.code, outcome.message, outcome.retryable, outcome.usage) == (code, message, False, usage())
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (404, False), (408, True), (429, True), (500, True), (503, True)]
)
async def test_a_status_that_is_an_error_carries_the_service_s_words(
    model: ChatServer, status: int, retryable: bool
) -> None:
    model.fails(status, "Slow down.", {"retry-after": "7"})

    outcome = await failed(model, prompt="x")

    assert (outcome.code, outcome.message, outcome.retryable, outcome.retry_after) == (
        "AI_STATUS",
        f"The service answers {status}: Slow down.",
        retryable,
        7.0,
    )


async def test_a_wrong_key_is_said_without_the_key(model: ChatServer) -> None:
    outcome = await failed(model, key="sk-wrong-one", prompt="x")

    assert (outcome.message, outcome.retryable) == ("The service answers 401: Incorrect API key provided: •••", False)
    assert "sk-wrong-one" not in repr(outcome)


@pytest.mark.parametrize(
    "reply",
    [PlainTextResponse("<html>"), JSONResponse([]), JSONResponse({"choices": []}), JSONResponse({"choices": 7})],
)
async def test_a_response_of_another_protocol_is_an_error_with_a_remedy(model: ChatServer, reply: Response) -> None:
    model.replies.append(reply)

    outcome = await failed(model, prompt="x")

    assert outcome.code == "AI_ANSWER_INVALID"
    assert outcome.remedy == (
        "Check the baseUrl of the connection: it should lead to a service with OpenAI's protocol."
    )


async def test_a_private_address_is_refused(model: ChatServer) -> None:
    held = connection("model", type="openai", settings={"baseUrl": model.base_url, "model": "tiny"})

    outcome = await run_node(KIND, {"connection": "model", "prompt": "x"}, connections=[held])

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("ADDRESS_REFUSED", False)
    assert model.asked == []


async def test_a_connection_that_is_not_there_is_said(model: ChatServer) -> None:
    outcome = await run_node(KIND, {"connection": "model", "prompt": "x"})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message) == ("NOT_FOUND", "There is no connection model")


def test_what_is_wrong_with_a_config_is_found_before_it_runs() -> None:
    nothing = check_config(KIND, {"connection": "model"})
    schema = check_config(KIND, {"connection": "model", "prompt": "x", "schema": {"type": "objekt"}})

    assert [(finding.code, finding.path) for finding in nothing] == [("MISSING", ("prompt",))]
    assert [(finding.code, finding.path) for finding in schema] == [("BAD_SCHEMA", ("schema", "type"))]
