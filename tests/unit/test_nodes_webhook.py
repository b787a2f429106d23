"""The webhook node against a real server: what is signed, and that a receiver can tell."""

import base64
import hashlib
import hmac
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed
from domain.graphs import Node
from domain.ids import ConnectionId
from domain.json import JSONObject
from jobs.nodes import CATALOG
from jobs.nodes.webhook import signed_headers
from tests.unit.http_server import Answer, Received, Server, http_server
from tests.unit.node_world import NOW, NodeWorld, node_world
from tests.unit.test_nodes_http_connections import having

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        server.answers["/hook"] = Answer(status=204)
        yield server


@pytest.fixture
async def world(server: Server) -> AsyncGenerator[NodeWorld]:
    async with node_world(allow=(server.host,)) as world:
        yield world


def genuine(request: Received, key: bytes) -> bool:
    """What a receiver checks, after the specification."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return wanted in request.headers["webhook-signature"].split(" ")


def test_the_signature_is_that_of_the_specifications_example() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)

    assert signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', SECRET) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_a_message_is_posted_signed_and_keeps_its_id_over_attempts(world: NodeWorld, server: Server) -> None:
    config: JSONObject = {"url": f"{server.url}/hook", "secret": SECRET, "body": {"n": "{{ input }}"}}

    outcome = await world.run("webhook", config, input=1)
    await world.run("webhook", config, input=1)

    first, second = server.received
    assert isinstance(outcome, Completed)
    assert (first.method, first.body, first.headers["content-type"]) == ("POST", b'{"n":1}', "application/json")
    assert first.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert genuine(first, base64.b64decode(SECRET.removeprefix("whsec_")))
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-id"].startswith("msg_")


async def test_two_secrets_give_two_signatures_and_any_text_is_a_secret(world: NodeWorld, server: Server) -> None:
    await world.run("webhook", {"url": f"{server.url}/hook", "secret": f"old {SECRET}", "body": "x"})

    [request] = server.received
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    assert genuine(request, b"old")
    assert genuine(request, base64.b64decode(SECRET.removeprefix("whsec_")))


async def test_the_secret_may_be_the_connections(world: NodeWorld, server: Server) -> None:
    connection = Connection(
        id=ConnectionId(UUID(int=7)), name="c", type="http", settings={"baseUrl": server.url},
        secrets={"signingSecret": "geheim"},
    )  # fmt: skip
    await having(world, connection).run("webhook", {"url": "hook", "connection": "c"})

    [request] = server.received
    assert genuine(request, b"geheim")
    assert request.body == b""


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({}, "VALIDATION"),
        ({"secret": "whsec_?"}, "VALIDATION"),
        ({"secret": "x", "body": "text", "bodyType": "binary"}, "BODY_INVALID"),
    ],
)
async def test_what_cannot_be_signed_is_not_sent(
    world: NodeWorld, server: Server, config: JSONObject, code: str
) -> None:
    outcome = await world.run("webhook", {"url": f"{server.url}/hook", **config})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable, server.received) == (code, False, [])


async def test_a_redirect_is_an_error_unless_it_may_be_followed(world: NodeWorld, server: Server) -> None:
    server.answers["/moved"] = Answer(status=308, headers={"location": "/hook"})
    config: JSONObject = {"url": f"{server.url}/moved", "secret": "geheim"}

    kept = await world.run("webhook", config)
    followed = await world.run("webhook", {**config, "followRedirects": True})

    assert isinstance(kept, Failed)
    assert kept.details["status"] == 308
    assert isinstance(followed, Completed)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"url": "https://x", "headers": {"Webhook-Id": "1"}}, ["config.headers.Webhook-Id"]),
        ({"url": "https://x", "method": "GET"}, ["config.method"]),
        ({"url": "https://x", "bodyType": "multipart"}, ["config.bodyType"]),
        ({"url": "x", "secret": 1}, ["config.secret", "config.url"]),
    ],
)
def test_what_makes_no_sense_is_found_before_it_is_sent(config: JSONObject, expected: list[str]) -> None:
    findings = CATALOG.check(Node(id="a", kind="webhook", config=config))

    assert [".".join(finding.path) for finding in findings] == expected
