"""http nodes with a connection: its credentials reach its own origin, nobody else, and no result."""

import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import NotFound
from domain.ids import ConnectionId, TenantId
from domain.json import JSONObject
from tests.unit.http_server import Answer, Received, Server, http_server
from tests.unit.node_world import NodeWorld, node_world


@dataclass(frozen=True)
class OneConnection:
    """A tenant with one connection."""

    connection: Connection

    async def get(self, name: str) -> Connection:
        if name != self.connection.name:
            raise NotFound("connection", name, path=("connection",))
        return self.connection


@pytest.fixture
async def servers() -> AsyncGenerator[tuple[Server, Server]]:
    """The connection's, and another."""
    async with http_server() as own, http_server() as other:
        yield own, other


@pytest.fixture
async def world(servers: tuple[Server, Server]) -> AsyncGenerator[NodeWorld]:
    own, other = servers
    async with node_world(allow=(own.host, other.host)) as world:
        yield world


def connected(world: NodeWorld, url: str, settings: JSONObject, **secrets: str) -> NodeWorld:
    connection = Connection(
        id=ConnectionId(UUID(int=7)), name="shop", type="http", settings={"baseUrl": url, **settings}, secrets=secrets
    )
    return having(world, connection)


def having(world: NodeWorld, connection: Connection) -> NodeWorld:
    def connections(tenant: TenantId) -> OneConnection:
        return OneConnection(connection)

    return replace(world, supplies=replace(world.supplies, connections=connections))


async def ask(world: NodeWorld, url: str, **more: str) -> Outcome:
    return await world.run("http", {"url": url, "connection": "shop", **more})


BASIC = base64.b64encode("ada:gehéim".encode()).decode()


@pytest.mark.parametrize(
    ("settings", "secrets", "header", "value", "target"),
    [
        ({"auth": "none"}, {}, "authorization", None, "/v1/orders"),
        ({"auth": "basic", "username": "ada"}, {"password": "gehéim"}, "authorization", f"Basic {BASIC}", "/v1/orders"),
        ({"auth": "bearer"}, {"token": "t0ken"}, "authorization", "Bearer t0ken", "/v1/orders"),
        ({"auth": "header", "name": "X-Key"}, {"value": "s3cret"}, "x-key", "s3cret", "/v1/orders"),
        ({"auth": "query", "name": "key"}, {"value": "a&b"}, "x-key", None, "/v1/orders?key=a%26b"),
    ],
)
async def test_a_connection_gives_address_and_credentials(
    world: NodeWorld,
    servers: tuple[Server, Server],
    settings: JSONObject,
    secrets: dict[str, str],
    header: str,
    value: str | None,
    target: str,
) -> None:
    own, _ = servers

    await ask(connected(world, f"{own.url}/v1", settings, **secrets), "orders")

    [request] = own.received
    assert (request.headers.get(header), request.target) == (value, target)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("orders", "/v1/orders"),
        ("/orders", "/v1/orders"),
        ("?page=2", "/v1?page=2"),
        ("//evil.example/x", "/v1/evil.example/x"),
        ("@evil.example", "/v1/@evil.example"),
        ("https:\\\\evil.example", "/v1/https:\\\\evil.example"),
    ],
)
async def test_what_is_no_absolute_url_stays_below_the_base(
    world: NodeWorld, servers: tuple[Server, Server], url: str, target: str
) -> None:
    own, _ = servers

    await ask(connected(world, f"{own.url}/v1/", {"auth": "bearer"}, token="t0ken"), url)

    assert [request.target for request in own.received] == [target]


async def test_an_absolute_url_of_another_origin_is_refused_before_anything_is_sent(
    world: NodeWorld, servers: tuple[Server, Server]
) -> None:
    own, other = servers
    shop = connected(world, own.url, {"auth": "bearer"}, token="t0ken")

    same = await ask(shop, f"{own.url}/x", expect="{{ [404] }}")
    foreign = [await ask(shop, f"{url}/x") for url in (other.url, own.url.replace("http:", "https:"))]

    assert isinstance(same, Completed)
    assert [(each.code, each.retryable) for each in foreign if isinstance(each, Failed)] == [("VALIDATION", False)] * 2
    assert (len(own.received), other.received) == (1, [])


@pytest.mark.parametrize(
    "settings", [{"auth": "bearer"}, {"auth": "header", "name": "x-key"}, {"auth": "query", "name": "key"}]
)
async def test_a_redirect_takes_no_credentials_to_another_origin(
    world: NodeWorld, servers: tuple[Server, Server], settings: JSONObject
) -> None:
    own, other = servers
    own.answers |= {
        "/a": Answer(status=307, headers={"location": "/b"}),
        "/b": Answer(status=307, headers={"location": f"{other.url}/c"}),
    }
    other.answers["/c"] = Answer(status=307, headers={"location": f"{own.url}/d"})
    own.answers["/d"] = Answer(body=b"there")
    shop = connected(world, own.url, settings, token="s3cret", value="s3cret")

    outcome = await shop.run("http", {"method": "POST", "url": "a", "connection": "shop", "body": {"n": 1},
                                      "headers": {"cookie": "c=1"}})  # fmt: skip

    def holds(request: Received) -> bool:
        return "s3cret" in f"{request.target}{request.headers}"

    assert isinstance(outcome, Completed)
    assert [(request.target.partition("?")[0], holds(request)) for request in own.received] == [
        ("/a", True),
        ("/b", True),
        ("/d", True),
    ]
    [foreign] = other.received
    assert (holds(foreign), foreign.headers.get("cookie"), foreign.body) == (False, None, b'{"n":1}')


async def test_secrets_that_come_back_are_masked_in_output_and_error(
    world: NodeWorld, servers: tuple[Server, Server]
) -> None:
    own, _ = servers

    async def echo(request: Received) -> Answer:
        told = request.headers["authorization"]
        return Answer(status=int(request.target[1:]), headers={"x-told": told}, body=f"you are {told}".encode())

    own.answers |= {"/200": echo, "/500": echo}
    shop = connected(world, own.url, {"auth": "basic", "username": "ada"}, password="gehéim")

    completed, failed = await ask(shop, "200"), await ask(shop, "500")

    assert isinstance(completed, Completed)
    assert isinstance(completed.output, dict)
    assert completed.output["body"] == "you are Basic •••"
    assert BASIC not in str(completed)
    assert isinstance(failed, Failed)
    assert failed.details == {"status": 500, "body": "you are Basic •••"}


@pytest.mark.parametrize("secret", ["new\r\nline", "t\x00"])
async def test_a_secret_that_cannot_be_a_header_is_not_told(
    world: NodeWorld, servers: tuple[Server, Server], secret: str
) -> None:
    own, _ = servers

    outcome = await ask(connected(world, own.url, {"auth": "bearer"}, token=f"very-{secret}"), "x")

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("REQUEST_INVALID", False)
    assert "very" not in str(outcome)
    assert own.received == []


async def test_a_connection_that_is_missing_or_of_another_type_is_said_to_be(
    world: NodeWorld, servers: tuple[Server, Server]
) -> None:
    own, _ = servers
    shop = connected(world, own.url, {})
    mail = Connection(id=ConnectionId(UUID(int=8)), name="mail", type="smtp", settings={"host": "x"})

    missing = await shop.run("http", {"url": "x", "connection": "nobody"})
    wrong = await having(world, mail).run("http", {"url": "x", "connection": "mail"})

    assert isinstance(missing, Failed)
    assert isinstance(wrong, Failed)
    assert (missing.code, wrong.code) == ("NOT_FOUND", "VALIDATION")
    assert wrong.message == "The connection 'mail' is of type smtp, not http"
