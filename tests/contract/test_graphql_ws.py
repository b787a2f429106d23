"""graphql-transport-ws: the npm client, and every message and close code of the protocol on a raw socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.contract.conftest import GraphQLServer, NpmClients
from tests.contract.sample import World

PROTOCOL = "graphql-transport-ws"
COST = {"cost": {"requested": 0, "maximum": 10_000}}


class Raw:
    """A socket on which a test says exactly what it wants to."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def say(self, message: object) -> None:
        await self._connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self._connection.recv())

    async def closed(self) -> tuple[int, str]:
        """The close code and reason; fails when a message comes instead."""
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionClosed):
                await self._connection.recv()
        return self._connection.close_code or 0, self._connection.close_reason or ""

    async def greet(self, token: str) -> None:
        await self.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert await self.hear() == {"type": "connection_ack"}

    async def subscribe(self, query: str, operation_id: str = "1", **payload: object) -> None:
        await self.say({"id": operation_id, "type": "subscribe", "payload": {"query": query, **payload}})

    async def leave(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def raw(
    server: GraphQLServer, protocols: Sequence[str] = (PROTOCOL,), origin: str | None = None
) -> AsyncGenerator[Raw]:
    headers = {"Origin": origin} if origin else {}
    subprotocols = [Subprotocol(protocol) for protocol in protocols]
    async with connect(server.ws_url, subprotocols=subprotocols or None, additional_headers=headers) as connection:
        yield Raw(connection)


@asynccontextmanager
async def greeted(server: GraphQLServer) -> AsyncGenerator[Raw]:
    async with raw(server) as socket:
        await socket.greet(server.token)
        yield socket


@pytest.fixture(autouse=True)
def _reset(world: World) -> None:  # pyright: ignore[reportUnusedFunction] -- pytest calls it
    world.reset()


async def test_the_npm_client_gets_what_it_expects(graphql_server: GraphQLServer, npm_clients: NpmClients) -> None:
    def streamed(*numbers: int) -> dict[str, object]:
        return {"seen": [{"data": {"countdown": number}} for number in numbers]}

    assert await npm_clients.run("ws_client.mjs", graphql_server) == {
        "subscription": streamed(3, 2, 1),
        "query": {"seen": [{"data": {"hello": "world"}, "extensions": COST}]},
        "mutation": {"seen": [{"data": {"setValue": 7}, "extensions": COST}]},
        "invalid": {"seen": [], "failure": ["Cannot query field 'nothing' on type 'Query'."]},
        "syntax": {"seen": [], "failure": ["Syntax Error: Expected Name, found <EOF>."]},
        "together": [streamed(1), streamed(2, 1)],
        "badToken": {"seen": [], "failure": 4403},
        "noToken": {"seen": [], "failure": 4401},
        "pongs": True,
    }


SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}

VIOLATIONS: dict[str, tuple[object, str]] = {
    "null": ("null", "The message must be an object"),
    "a list": ("[]", "The message must be an object"),
    "a text": ('"ping"', "The message must be an object"),
    "a number": ("1", "The message must be an object"),
    "no JSON": ("{", "A message must be valid JSON"),
    "JSON that nests too deeply": ("[" * 5_000, "A message must be valid JSON"),
    "bytes": (b"{}", "A message must be text"),
    "no type": ({}, "The message needs the text 'type', not empty"),
    "a type that is no text": ({"type": 1}, "The message needs the text 'type', not empty"),
    "an unknown type": ({"type": "hello"}, "A client sends no message of the type 'hello'"),
    "a server's type": ({"type": "next", "id": "1"}, "A client sends no message of the type 'next'"),
    "a ping's payload no object": ({"type": "ping", "payload": "x"}, "'payload' must be an object"),
    "a pong's payload no object": ({"type": "pong", "payload": []}, "'payload' must be an object"),
    "a greeting's payload no object": ({"type": "connection_init", "payload": []}, "'payload' must be an object"),
    "no payload": ({"id": "1", "type": "subscribe"}, "The payload must be an object"),
    "a null payload": ({**SUBSCRIBE, "payload": None}, "The payload must be an object"),
    "a payload that is a list": ({**SUBSCRIBE, "payload": []}, "The payload must be an object"),
    "a numeric id": ({**SUBSCRIBE, "id": 1}, "The message needs the text 'id', not empty"),
    "an empty id": ({**SUBSCRIBE, "id": ""}, "The message needs the text 'id', not empty"),
    "no id": ({**SUBSCRIBE, "id": None}, "The message needs the text 'id', not empty"),
    "no query": ({**SUBSCRIBE, "payload": {}}, "The payload needs the text 'query', not empty"),
    "a query that is no text": (
        {**SUBSCRIBE, "payload": {"query": 1}},
        "The payload needs the text 'query', not empty",
    ),
    "variables that are a list": (
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "variables": []}},
        "'variables' must be an object",
    ),
    "variables that are a text": (
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "variables": "{}"}},
        "'variables' must be an object",
    ),
    "an operation name that is no text": (
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "operationName": 1}},
        "The payload has 'operationName', which must be a text",
    ),
    "extensions that are a list": (
        {**SUBSCRIBE, "payload": {"query": "{ hello }", "extensions": []}},
        "'extensions' must be an object",
    ),
    "complete without an id": ({"type": "complete"}, "The message needs the text 'id', not empty"),
    "complete with a numeric id": ({"type": "complete", "id": 1}, "The message needs the text 'id', not empty"),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
async def test_a_message_that_breaks_the_protocol_closes_the_socket_with_4400(
    graphql_server: GraphQLServer, violation: str
) -> None:
    message, reason = VIOLATIONS[violation]
    async with greeted(graphql_server) as socket:
        await socket.say(message)
        assert await socket.closed() == (4400, reason)


async def test_a_message_beyond_the_limit_closes_the_socket_with_1009(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        await socket.say(json.dumps({"type": "ping", "payload": {"fill": "x" * 300_000}}))
        assert await socket.closed() == (1009, "A message may have 262144 characters")


async def test_a_socket_that_says_nothing_is_closed_with_4408(graphql_server: GraphQLServer) -> None:
    async with raw(graphql_server) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


async def test_an_operation_before_the_greeting_is_answered_closes_with_4401(graphql_server: GraphQLServer) -> None:
    async with raw(graphql_server) as socket:
        await socket.say(SUBSCRIBE)
        assert await socket.closed() == (4401, "Unauthorized")


async def test_a_second_greeting_closes_with_4429(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        await socket.say({"type": "connection_init"})
        assert await socket.closed() == (4429, "Too many initialisation requests")


async def test_an_id_in_use_closes_with_4409_whatever_its_length(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        for _ in range(2):
            await socket.subscribe("subscription { ticks { number } }", "é" * 200)
        code, reason = await socket.closed()
    assert code == 4409
    assert reason.startswith("Subscriber for ééé")
    assert len(reason.encode()) <= 123


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        (None, 4401, "Credentials are missing"),
        ({}, 4401, "Credentials are missing"),
        ({"authorization": "Bearer wrong"}, 4403, "These credentials do not hold"),
        ({"authorization": "wrong"}, 4403, "These credentials do not hold"),
        ({"authorization": "Bearer forbidden"}, 4403, "This needs the permission api:connect"),
        ({"authorization": "Bearer busy"}, 1013, "Too many requests"),
        ({"authorization": "Bearer broken"}, 1011, "Internal error"),
    ],
)
async def test_refused_credentials_close_the_socket_and_say_why(
    graphql_server: GraphQLServer, payload: object, code: int, reason: str
) -> None:
    async with raw(graphql_server) as socket:
        await socket.say({"type": "connection_init", "payload": payload})
        assert await socket.closed() == (code, reason)


@pytest.mark.parametrize("name", ["authorization", "Authorization", "x-api-key", "X-API-Key"])
async def test_credentials_are_taken_under_either_name(graphql_server: GraphQLServer, name: str) -> None:
    async with raw(graphql_server) as socket:
        await socket.say({"type": "connection_init", "payload": {name: graphql_server.token}})
        assert await socket.hear() == {"type": "connection_ack"}


@pytest.mark.parametrize("protocols", [["graphql-ws"], []])
async def test_another_subprotocol_closes_with_4406(graphql_server: GraphQLServer, protocols: list[str]) -> None:
    async with raw(graphql_server, protocols) as socket:
        assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_a_page_of_another_origin_cannot_open_a_socket(graphql_server: GraphQLServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with raw(graphql_server, origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_our_own_origin_can(graphql_server: GraphQLServer) -> None:
    async with raw(graphql_server, origin=graphql_server.url.removesuffix("/graphql")) as socket:
        await socket.greet(graphql_server.token)


async def test_ping_is_answered_with_its_payload_even_before_the_greeting(graphql_server: GraphQLServer) -> None:
    async with raw(graphql_server) as socket:
        await socket.say({"type": "ping", "payload": {"beat": 1}})
        assert await socket.hear() == {"type": "pong", "payload": {"beat": 1}}
        await socket.greet(graphql_server.token)
        await socket.say({"type": "pong"})
        await socket.say({"type": "ping"})
        assert await socket.hear() == {"type": "pong"}


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"query": "{ hello"}, "GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>."),
        (
            {"query": "{ nothing }"},
            "GRAPHQL_VALIDATION_FAILED",
            "Cannot query field 'nothing' on type 'Query'.",
        ),
        (
            {"query": "query A { hello }", "operationName": "B"},
            "GRAPHQL_VALIDATION_FAILED",
            'Unknown operation named "B".',
        ),
        (
            {"query": "query ($t: ID!) { item(id: $t) { name } }", "variables": {"t": None}},
            "GRAPHQL_VALIDATION_FAILED",
            "Variable '$t' has invalid value: Expected value of non-null type 'ID!' not to be None.",
        ),
        (
            {"query": "{" + "a{" * 300 + "b" + "}" * 301},
            "GRAPHQL_PARSE_FAILED",
            "Syntax Error: Document is nested too deeply. Parsing aborted.",
        ),
    ],
)
async def test_an_operation_that_cannot_run_is_refused_alone(
    graphql_server: GraphQLServer, world: World, payload: dict[str, object], code: str, message: str
) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("subscription { ticks { number } }", "other")
        await socket.say({"id": "1", "type": "subscribe", "payload": payload})
        answer = await socket.hear()
        assert (answer["id"], answer["type"]) == ("1", "error")
        assert [(error["message"], error["extensions"]["code"]) for error in answer["payload"]] == [(message, code)]
        # and the other operation goes on
        await world.proceed.put(5)
        assert await socket.hear() == {"id": "other", "type": "next", "payload": {"data": {"ticks": {"number": 5}}}}


async def test_an_operation_beyond_the_limit_is_refused_alone(graphql_server: GraphQLServer, world: World) -> None:
    async with greeted(graphql_server) as socket:
        for number in range(3):
            await socket.subscribe("subscription { ticks { number } }", str(number))
        await socket.subscribe("{ hello }", "3")
        answer = await socket.hear()
        assert (answer["id"], answer["type"]) == ("3", "error")
        assert answer["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        # one is completed: there is room again
        await socket.say({"type": "complete", "id": "0"})
        await socket.subscribe("{ hello }", "3")
        assert (await socket.hear())["payload"]["data"] == {"hello": "world"}


async def test_an_id_can_be_used_again_once_its_operation_is_complete(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        for _ in range(2):
            await socket.subscribe("{ hello }")
            assert (await socket.hear())["type"] == "next"
            assert await socket.hear() == {"id": "1", "type": "complete"}


async def test_complete_ends_the_source_and_sends_nothing_more(graphql_server: GraphQLServer, world: World) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("subscription { ticks { number } }")
        await asyncio.wait_for(world.stream_opened.wait(), 5)
        await socket.say({"type": "complete", "id": "1"})
        await asyncio.wait_for(world.stream_closed.wait(), 5)
        await socket.say({"type": "ping"})
        assert await socket.hear() == {"type": "pong"}


async def test_a_client_that_leaves_ends_the_source(graphql_server: GraphQLServer, world: World) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("subscription { ticks { number } }")
        await asyncio.wait_for(world.stream_opened.wait(), 5)
        await socket.leave()
        await asyncio.wait_for(world.stream_closed.wait(), 5)


async def test_expired_credentials_end_the_socket_and_its_sources(graphql_server: GraphQLServer, world: World) -> None:
    async with raw(graphql_server) as socket:
        await socket.greet("expires-100")
        await socket.subscribe("subscription { ticks { number } }")
        assert await socket.closed() == (4403, "Token expired")
        await asyncio.wait_for(world.stream_closed.wait(), 5)


async def test_each_event_is_resolved_with_fresh_loaders(graphql_server: GraphQLServer, world: World) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("subscription { ticks { number first: loaded again: loaded } }")
        for number in (1, 2):
            await world.proceed.put(number)
            answer = await socket.hear()
            assert answer["payload"]["data"] == {"ticks": {"number": number, "first": number, "again": number}}


async def test_each_operation_is_resolved_with_fresh_loaders(graphql_server: GraphQLServer, world: World) -> None:
    async with greeted(graphql_server) as socket:
        for number in (1, 2):
            await socket.subscribe("subscription { ticks { loaded } }", str(number))
            await world.proceed.put(number)
            assert (await socket.hear())["payload"] == {"data": {"ticks": {"loaded": number}}}
            await socket.say({"type": "complete", "id": str(number)})
            await asyncio.wait_for(world.stream_closed.wait(), 5)
            world.stream_closed.clear()


async def test_a_source_that_breaks_ends_in_a_masked_error(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("subscription { faulty }")
        assert (await socket.hear())["payload"] == {"data": {"faulty": 1}}
        answer = await socket.hear()
        assert answer["type"] == "error"
        assert [error["message"] for error in answer["payload"]] == ["Internal error"]
        assert answer["payload"][0]["extensions"].keys() == {"code", "errorId"}


async def test_a_limit_holds_on_the_socket_too(graphql_server: GraphQLServer) -> None:
    async with greeted(graphql_server) as socket:
        await socket.subscribe("query ($n: Int!) { items(first: $n) { name } }", variables={"n": 10_001})
        answer = await socket.hear()
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "QUERY_TOO_COSTLY")
