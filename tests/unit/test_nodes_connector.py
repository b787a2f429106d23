"""The connector node against a real server: the request of every action, pages, and how services say no."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.json import JSON, JSONObject
from jobs.connectors import PROVIDERS
from jobs.connectors.documentation import markdown
from jobs.nodes.connector import KIND
from tests.unit.connector_cases import CASES, Case
from tests.unit.http_server import Answer, Received, Server, http_server
from weir_kit import Connection, check_config, connection, run_node

PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"
SECRET = "the-secret-of-the-service"
GIVEN: dict[str, tuple[JSONObject, dict[str, str], dict[str, str]]] = {
    "slack": ({}, {"token": SECRET}, {"authorization": f"Bearer {SECRET}"}),
    "github": (
        {},
        {"token": SECRET},
        {
            "authorization": f"Bearer {SECRET}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        },
    ),
    "stripe": ({}, {"apiKey": SECRET}, {"authorization": f"Bearer {SECRET}", "stripe-version": "2024-06-20"}),
    "jira": (
        {"email": "a@example.com"},
        {"apiToken": SECRET},
        {"authorization": "Basic YUBleGFtcGxlLmNvbTp0aGUtc2VjcmV0LW9mLXRoZS1zZXJ2aWNl"},
    ),
    "discord": ({}, {"token": SECRET}, {"authorization": f"Bot {SECRET}"}),
    "rest": ({"auth": "header", "name": "X-Api-Key"}, {"value": SECRET}, {"x-api-key": SECRET}),
}
"""By provider: the connection's settings and secrets, and the headers that come of them."""


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        yield server


@pytest.fixture(autouse=True)
def forget(server: Server) -> None:
    server.received.clear()
    server.answers.clear()


def held(server: Server, provider: str) -> Connection:
    settings, secrets, _ = GIVEN[provider]
    return connection("it", settings={"baseUrl": f"{server.url}/api", **settings}, secrets=secrets)


async def run(
    server: Server, provider: str, action: str, input: JSONObject, *, given: Connection | None = None, **config: JSON
) -> Outcome:
    written: JSONObject = {"provider": provider, "action": action, "connection": "it", "input": input, **config}
    return await run_node(KIND, written, connections=[given or held(server, provider)], allow=[server.host])


async def failed(
    server: Server, provider: str, action: str, input: JSONObject, given: Connection | None = None
) -> Failed:
    outcome = await run(server, provider, action, input, given=given)
    assert isinstance(outcome, Failed), outcome
    return outcome


def answer(value: JSON, status: int = 200, **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=json.dumps(value).encode())


def test_every_action_of_every_provider_has_its_request_here() -> None:
    declared = {(name, action) for name, provider in PROVIDERS.items() for action in provider.actions}

    assert {(case.provider, case.action) for case in CASES} == declared
    assert len(CASES) == len(declared)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_action_sends_exactly_this(server: Server, case: Case) -> None:
    method, _, target = case.request.partition(" ")
    server.answers["/api" + target.partition("?")[0]] = answer({"ok": True})

    outcome = await run(server, case.provider, case.action, case.input)

    assert isinstance(outcome, Completed), outcome
    [request] = server.received
    assert (request.method, request.target) == (method, f"/api{target}")
    body = request.body.decode()
    assert (
        body if isinstance(case.body, str) and case.provider == "stripe" else json.loads(body or "null")
    ) == case.body
    headers = GIVEN[case.provider][2]
    assert {name: request.headers[name] for name in headers} == headers
    assert request.headers.get("idempotency-key") == (None if method == "GET" else "execution:node")


@pytest.mark.parametrize(
    ("auth", "secrets", "header", "query"),
    [
        ({"auth": "none"}, {}, None, ""),
        ({"auth": "basic", "username": "ann"}, {"password": "pw"}, "Basic YW5uOnB3", ""),
        ({"auth": "bearer"}, {"token": "t"}, "Bearer t", ""),
        ({"auth": "query", "name": "key"}, {"value": "a b"}, None, "?key=a+b"),
    ],
)
async def test_a_rest_service_is_told_who_asks_as_its_connection_says(
    server: Server, auth: JSONObject, secrets: dict[str, str], header: str | None, query: str
) -> None:
    server.answers["/x"] = answer(None)
    given = connection("it", type="http", settings={"baseUrl": server.url, **auth}, secrets=secrets)

    await run(server, "rest", "get", {"path": "/x"}, given=given)

    [request] = server.received
    assert (request.headers.get("authorization"), request.target) == (header, f"/x{query}")


async def test_the_output_is_what_the_action_says_of_the_answer(server: Server) -> None:
    server.answers["/api/users.lookupByEmail"] = answer({"ok": True, "user": {"id": "U1"}})
    server.answers["/api/channels/1/messages/2"] = Answer(status=204)
    server.answers["/api/text"] = Answer(body="Grüße".encode())

    found = await run(server, "slack", "findUser", {"email": "a@b"})
    deleted = await run(server, "discord", "deleteMessage", {"channel": "1", "message": "2"})
    text = await run(server, "rest", "get", {"path": "/text"})

    assert [found, deleted, text] == [Completed(output={"id": "U1"}), Completed(), Completed(output="Grüße")]


async def test_pages_are_gathered_by_a_cursor(server: Server) -> None:
    async def channels(request: Received) -> Answer:
        if "cursor=two" in request.target:
            return answer({"ok": True, "channels": [{"id": "3"}], "response_metadata": {"next_cursor": ""}})
        page: JSON = {"ok": True, "channels": [{"id": "1"}, {"id": "2"}], "response_metadata": {"next_cursor": "two"}}
        return answer(page)

    server.answers["/api/conversations.list"] = channels

    outcome = await run(server, "slack", "listChannels", {"types": "x"})

    assert outcome == Completed(output=[{"id": "1"}, {"id": "2"}, {"id": "3"}])
    assert [request.target for request in server.received] == [
        "/api/conversations.list?types=x",
        "/api/conversations.list?types=x&cursor=two",
    ]


async def test_pages_are_gathered_by_the_last_id_up_to_the_most_that_is_wanted(server: Server) -> None:
    async def customers(request: Received) -> Answer:
        first = 2 if "starting_after=c1" in request.target else 0
        return answer({"data": [{"id": f"c{first}"}, {"id": f"c{first + 1}"}], "has_more": True})

    server.answers["/api/customers"] = customers

    outcome = await run(server, "stripe", "listCustomers", {}, maxItems=3)

    assert outcome == Completed(output=[{"id": "c0"}, {"id": "c1"}, {"id": "c2"}])
    assert [request.target for request in server.received] == ["/api/customers", "/api/customers?starting_after=c1"]


async def test_pages_are_gathered_by_links_but_never_from_another_server(server: Server) -> None:
    path = "/api/repos/a/b/issues"
    ours = f'<{server.url}/first>; rel="prev", <{server.url}{path}2?page=2>; rel="next"'
    server.answers[path] = answer([1, 2], link=ours)
    server.answers[f"{path}2"] = answer([3])
    input: JSONObject = {"owner": "a", "repo": "b"}
    both = await run(server, "github", "listIssues", input)
    server.answers[path] = answer([1, 2], link='<http://elsewhere.example/x>; rel="next"')
    server.received.clear()

    elsewhere = await failed(server, "github", "listIssues", input)

    assert both == Completed(output=[1, 2, 3])
    assert elsewhere.message == "The next page is said to lie at another server"
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (401, False), (404, False), (429, True), (500, True), (502, True)]
)
async def test_a_status_that_is_an_error_carries_the_service_s_words_and_no_secret(
    server: Server, status: int, retryable: bool
) -> None:
    server.answers["/api/user"] = Answer(
        status=status, headers={"retry-after": "9"}, body=json.dumps({"message": f"No, {SECRET}!"}).encode()
    )

    outcome = await failed(server, "github", "test", {})

    assert (outcome.code, outcome.message, outcome.retryable, outcome.retry_after, outcome.details) == (
        "CONNECTOR_STATUS",
        f"The service answers {status}: No, •••!",
        retryable,
        9.0,
        {"status": status, "body": '{"message": "No, •••!"}'},
    )


async def test_a_no_with_the_status_200_is_an_error_too(server: Server) -> None:
    server.answers["/api/chat.postMessage"] = answer({"ok": False, "error": "channel_not_found"})

    outcome = await failed(server, "slack", "postMessage", {"channel": "x", "text": "y"})

    assert (outcome.code, outcome.message, outcome.retryable) == (
        "CONNECTOR_REFUSED",
        "Slack refuses: channel_not_found",
        False,
    )


async def test_a_redirect_is_not_followed_with_the_secret(server: Server) -> None:
    server.answers["/api/user"] = Answer(status=301, headers={"location": f"{server.url}/elsewhere"})

    outcome = await failed(server, "github", "test", {})

    assert outcome.details["status"] == 301
    assert [request.target for request in server.received] == ["/api/user"]


@pytest.mark.parametrize("path", ["/../admin", "/a/./b", "@evil.example/", "evil.example", "//../x"])
async def test_a_path_cannot_lead_out_of_the_service(server: Server, path: str) -> None:
    outcome = await failed(server, "rest", "get", {"path": path})

    assert (outcome.code, server.received) == ("CONFIG_INVALID", [])


@pytest.mark.parametrize(
    ("provider", "given", "message"),
    [
        ("slack", connection("it"), "The connection 'it' lacks the secret 'token'"),
        ("jira", connection("it"), "The connection 'it' lacks the setting 'baseUrl'"),
        ("jira", connection("it", settings={"baseUrl": "http://x"}), "The connection 'it' lacks the setting 'email'"),
    ],
)
async def test_a_connection_that_lacks_something_is_told_what(
    server: Server, provider: str, given: Connection, message: str
) -> None:
    outcome = await failed(server, provider, "test", {}, given)

    assert (outcome.code, outcome.message, outcome.retryable) == ("CONFIG_INVALID", message, False)


async def test_an_input_of_the_wrong_type_is_told_before_anything_is_sent(server: Server) -> None:
    outcome = await failed(server, "github", "getIssue", {"owner": "a", "repo": "b", "issue_number": "seven"})

    assert outcome.message == "The input does not fit getIssue: issue_number should be integer, not 'seven'"
    assert server.received == []


@pytest.mark.parametrize(
    ("config", "code", "path", "remedy"),
    [
        ({"provider": "slak", "action": "test"}, "UNKNOWN_PROVIDER", ("provider",), "Did you mean 'slack'?"),
        ({"provider": "slack", "action": "postMesage"}, "UNKNOWN_ACTION", ("action",), "Did you mean 'postMessage'?"),
        ({"provider": "{{ x }}", "action": "test"}, "BAD_CONNECTOR", ("provider",), "Write its name."),
        (
            {"provider": "slack", "action": "findUser"},
            "MISSING",
            ("input", "email"),
            "The address.",
        ),
    ],
)
def test_what_is_wrong_with_a_config_is_found_before_it_runs(
    config: JSONObject, code: str, path: tuple[str, ...], remedy: str
) -> None:
    [finding] = check_config(KIND, {"connection": "it", **config})

    assert (finding.code, finding.path, finding.remedy) == (code, path, remedy)


def test_every_provider_has_an_action_that_tests_a_connection() -> None:
    for provider in PROVIDERS.values():
        assert [member for member in provider.actions[provider.test].input.values() if member.required] == []


def test_the_page_about_connectors_says_what_the_providers_say() -> None:
    expected = markdown(PROVIDERS)

    assert PAGE.read_text() == expected, "write jobs.connectors.documentation.markdown(PROVIDERS) to docs/connectors.md"
