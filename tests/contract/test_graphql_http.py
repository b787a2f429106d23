"""GraphQL over HTTP: the graphql-http audits, the graphql-sse client, and what they do not ask."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.contract.conftest import GraphQLServer, NpmClients
from tests.contract.sample import VISITOR, World

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
STREAM = "text/event-stream"
TICKS = "subscription { ticks { number loaded } }"
COST = {"cost": {"requested": 0, "maximum": 10_000}}


@pytest.fixture(autouse=True)
def _reset(world: World) -> None:  # pyright: ignore[reportUnusedFunction] -- pytest calls it
    world.reset()


@pytest.fixture
async def client(graphql_server: GraphQLServer) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {graphql_server.token}"}
    origin = graphql_server.url.removesuffix("/graphql")
    async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=10) as found:
        yield found


def errors_of(response: httpx.Response) -> list[tuple[str, str]]:
    return [(error["extensions"]["code"], error["message"]) for error in response.json()["errors"]]


async def test_every_graphql_http_audit_is_passed(graphql_server: GraphQLServer, npm_clients: NpmClients) -> None:
    results = await npm_clients.run("audits.mjs", graphql_server)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


async def test_the_sse_client_gets_what_it_expects(
    graphql_server: GraphQLServer, npm_clients: NpmClients, world: World
) -> None:
    results = await npm_clients.run("sse_client.mjs", graphql_server)
    assert [error["message"] for error in results.pop("invalid")["seen"][0]["errors"]] == [
        "Cannot query field 'nothing' on type 'Query'."
    ]
    assert results == {
        "subscription": {"seen": [{"data": {"countdown": number}} for number in (3, 2, 1)]},
        "query": {"seen": [{"data": {"hello": "world"}, "extensions": COST}]},
        "mutation": {"seen": [{"data": {"setValue": 8}, "extensions": COST}]},
        "noToken": {"seen": [], "status": 401, "failure": "Server responded with 401: Unauthorized"},
        "watched": {"data": {"ticks": {"number": 41}}},
    }
    await asyncio.wait_for(world.stream_closed.wait(), 5)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", JSON),
        (JSON, JSON),
        (RESPONSE, RESPONSE),
        ("application/*", JSON),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.5, {JSON};q=0.9", JSON),
        (f"{RESPONSE};q=0, */*", JSON),
        (f"{JSON};q=0.1, */*;q=0.8", RESPONSE),
        (f"{RESPONSE}, {JSON}, {STREAM}, multipart/mixed", RESPONSE),
        (f"{STREAM};q=0.5, {JSON}", JSON),
        (f"{STREAM}, {JSON};q=0.5", STREAM),
        (STREAM, STREAM),
        ("application/json;charset=utf-8;q=nonsense, */*", RESPONSE),
    ],
)
async def test_the_best_accepted_type_answers(client: httpx.AsyncClient, accept: str, media: str) -> None:
    response = await client.post("/graphql", json={"query": "{ hello }"}, headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, f"{media}; charset=utf-8")


async def test_an_accept_header_that_leaves_nothing_is_refused_with_406(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ hello }"}, headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert errors_of(response) == [("NOT_ACCEPTABLE", f"The answer can be {RESPONSE}, {JSON} or {STREAM}")]


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (RESPONSE, 400)])
@pytest.mark.parametrize("query", ["{ hello", "{ nothing }", "query ($v: Int!) { hello }"])
async def test_a_refused_operation_has_no_data_and_tells_so_by_its_status(
    client: httpx.AsyncClient, accept: str, status: int, query: str
) -> None:
    response = await client.post("/graphql", json={"query": query}, headers={"Accept": accept})
    assert response.status_code == status
    assert "data" not in response.json()
    assert all(code.startswith("GRAPHQL_") for code, _ in errors_of(response))


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"", 400, "BAD_REQUEST", "The body is not valid JSON"),
        (b"{", 400, "BAD_REQUEST", "The body is not valid JSON"),
        (b"[" * 100_000, 400, "BAD_REQUEST", "The body is not valid JSON"),
        (b'{"query": "{ hello }\xff"}', 400, "BAD_REQUEST", "The body is not valid UTF-8 at byte 20"),
        (b"null", 400, "BAD_REQUEST", "The body must be a JSON object"),
        (b'[{"query": "{ hello }"}]', 400, "BAD_REQUEST", "Batches are not supported"),
        (b"{}", 400, "BAD_REQUEST", "`query` must be the text"),
        (b'{"query": 1}', 400, "BAD_REQUEST", "`query` must be the text"),
        (b'{"query": " "}', 400, "BAD_REQUEST", "`query` must be the text"),
        (b'{"query": "{ hello }", "variables": []}', 400, "BAD_REQUEST", "`variables` must be an object"),
        (b'{"query": "{ hello }", "operationName": 1}', 400, "BAD_REQUEST", "`operationName` must be a text"),
        (b'{"query": "{ hello }", "operationName": "B"}', 400, "BAD_REQUEST", 'Unknown operation named "B".'),
        (b'{"query": "{ hello }", "extensions": 1}', 400, "BAD_REQUEST", "`extensions` must be an object"),
        (b'{"query": "' + b"x" * 1024 * 1024 + b'"}', 413, "REQUEST_ENTITY_TOO_LARGE", "A request may have 1048576"),
    ],
)
async def test_a_body_that_is_no_operation_is_refused_and_said_why(
    client: httpx.AsyncClient, body: bytes, status: int, code: str, message: str
) -> None:
    response = await client.post("/graphql", content=body, headers={"Content-Type": JSON})
    ((found_code, found_message),) = errors_of(response)
    assert (response.status_code, found_code) == (status, code)
    assert found_message.startswith(message)


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 64 * 1024

    response = await client.post("/graphql", content=endless(), headers={"Content-Type": JSON})
    assert response.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_of_another_type_is_refused_with_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers)
    assert (response.status_code, errors_of(response)[0][0]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_query_runs_over_get(client: httpx.AsyncClient) -> None:
    parameters = {
        "query": "query A { hello } query B($t: String) { echo(text: $t) }",
        "operationName": "B",
        "variables": '{"t": "x"}',
    }
    response = await client.get("/graphql", params=parameters)
    assert response.json()["data"] == {"echo": "x"}


@pytest.mark.parametrize("variables", ["{", "[]", "1"])
async def test_variables_that_are_no_object_are_refused_over_get(client: httpx.AsyncClient, variables: str) -> None:
    response = await client.get("/graphql", params={"query": "{ hello }", "variables": variables})
    assert response.status_code == 400


async def test_a_mutation_over_get_is_refused_with_405_and_changes_nothing(
    client: httpx.AsyncClient, world: World
) -> None:
    for accept in (JSON, STREAM):
        response = await client.get(
            "/graphql", params={"query": "mutation { setValue(value: 9) }"}, headers={"Accept": accept}
        )
        if accept == JSON:
            assert (response.status_code, response.headers["allow"]) == (405, "POST")
        else:
            assert "mutations are not allowed" in response.text
        assert world.value == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_another_method_is_refused_with_405(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", json={"query": "{ hello }"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("headers", "status", "code", "more"),
    [
        ({}, 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ({"Authorization": "Bearer wrong"}, 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ({"Authorization": "Bearer"}, 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ({"Authorization": "Basic abc"}, 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ({"X-API-Key": "wrong"}, 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ({"Authorization": "Bearer forbidden"}, 403, "FORBIDDEN", ("cache-control", "no-store")),
        ({"Authorization": "Bearer busy"}, 429, "QUOTA_EXCEEDED", ("retry-after", "3")),
        ({"Authorization": "Bearer broken"}, 500, "INTERNAL", ("cache-control", "no-store")),
    ],
)
async def test_refused_credentials_are_told_by_the_status(
    graphql_server: GraphQLServer, headers: dict[str, str], status: int, code: str, more: tuple[str, str]
) -> None:
    async with httpx.AsyncClient() as stranger:
        response = await stranger.post(graphql_server.url, json={"query": "{ hello }"}, headers=headers)
    assert (response.status_code, errors_of(response)[0][0]) == (status, code)
    assert response.headers[more[0]] == more[1]
    assert "hunter2" not in response.text


async def test_an_api_key_is_taken_from_its_own_header(graphql_server: GraphQLServer) -> None:
    async with httpx.AsyncClient() as stranger:
        response = await stranger.post(
            graphql_server.url, json={"query": "{ hello }"}, headers={"X-API-Key": graphql_server.token}
        )
    assert response.json()["data"] == {"hello": "world"}


async def test_a_bug_is_masked_and_logged_once_under_the_same_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.post("/graphql", json={"query": "{ hello secret }"})
    (error,) = response.json()["errors"]
    error_id = error["extensions"]["errorId"]
    assert error == {
        "message": "Internal error",
        "locations": [{"line": 1, "column": 9}],
        "path": ["secret"],
        "extensions": {"code": "INTERNAL", "errorId": error_id},
    }
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.name == "weir.graphql"
    assert error_id in record.getMessage()
    assert record.exc_info is not None
    assert "hunter2" in str(record.exc_info[1])


async def test_a_refusal_is_shown_with_its_code_path_and_remedy_and_not_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.post("/graphql", json={"query": "mutation { setValue(value: -1) }"})
    (error,) = response.json()["errors"]
    assert (error["message"], error["extensions"]) == (
        "The value cannot be negative",
        {"code": "INVALID_STATE", "path": ["value"], "remedy": "Give 0 or more."},
    )
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "query",
    ["{ __schema { types { name } } }", '{ ...f } fragment f on Query { __type(name: "Item") { name } }'],
)
async def test_the_schema_is_read_only_by_those_who_may(graphql_server: GraphQLServer, query: str) -> None:
    found: list[list[tuple[str, str]] | None] = []
    async with httpx.AsyncClient() as stranger:
        for token in (VISITOR, graphql_server.token):
            headers = {"Authorization": f"Bearer {token}"}
            response = await stranger.post(graphql_server.url, json={"query": query}, headers=headers)
            found.append(errors_of(response) if "errors" in response.json() else None)
    assert found == [[("INTROSPECTION_DENIED", "Introspection is not open to this caller")], None]


async def test_the_name_of_a_type_is_open_to_all(graphql_server: GraphQLServer) -> None:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {VISITOR}"}) as visitor:
        response = await visitor.post(graphql_server.url, json={"query": "{ __typename }"})
    assert response.json()["data"] == {"__typename": "Query"}


async def test_a_subscription_without_a_stream_is_told_where_to_go(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": TICKS})
    assert response.status_code == 406
    assert errors_of(response) == [("NOT_ACCEPTABLE", f"Subscribe with `Accept: {STREAM}`, or over a WebSocket")]


async def test_a_subscription_is_streamed_to_whoever_takes_both(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/graphql", json={"query": "subscription { countdown(start: 1) }"}, headers={"Accept": f"{JSON}, {STREAM}"}
    )
    assert response.text == 'event: next\ndata: {"data":{"countdown":1}}\n\nevent: complete\ndata:\n\n'


async def test_a_stream_resolves_each_event_with_fresh_loaders_and_says_when_it_is_silent(
    client: httpx.AsyncClient, world: World
) -> None:
    seen: list[object] = []
    async with client.stream("POST", "/graphql", json={"query": TICKS}, headers={"Accept": STREAM}) as response:
        await world.proceed.put(1)
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: "))["data"]["ticks"])
            elif line == ": ping" and len(seen) == 1:
                await world.proceed.put(2)
            if len(seen) == 2:
                break
    assert seen == [{"number": 1, "loaded": 1}, {"number": 2, "loaded": 2}]
    await asyncio.wait_for(world.stream_closed.wait(), 5)


async def test_a_stream_ends_with_the_credentials(graphql_server: GraphQLServer, world: World) -> None:
    headers = {"Authorization": "Bearer expires-300", "Accept": STREAM}
    async with httpx.AsyncClient() as stranger:
        response = await stranger.post(graphql_server.url, json={"query": TICKS}, headers=headers)
    assert response.text == (
        ": ping\n\n"
        'event: next\ndata: {"errors":[{"message":"Token expired","extensions":'
        '{"code":"UNAUTHENTICATED","remedy":"Subscribe again with a new one."}}]}\n\n'
        "event: complete\ndata:\n\n"
    )
    await asyncio.wait_for(world.stream_closed.wait(), 5)


async def test_a_stream_whose_source_breaks_ends_in_a_masked_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "subscription { faulty }"}, headers={"Accept": STREAM})
    events = response.text.split("\n\n")
    assert events[0] == 'event: next\ndata: {"data":{"faulty":1}}'
    assert '"message":"Internal error"' in events[1]
    assert events[2:] == ["event: complete\ndata:", ""]
    assert "hunter2" not in response.text
