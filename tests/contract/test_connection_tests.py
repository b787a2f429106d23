"""Connections tried out against real servers: what is told of each, and that nothing secret is told."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uuid_utils.compat as uuid
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from domain.connections import Connection, Tried
from domain.ids import ConnectionId
from domain.json import JSON
from jobs.connection_tests import RealConnectionTester
from jobs.outgoing import Outgoing
from tests.contract.database_servers import postgresql_over_tcp, postgresql_settings
from tests.unit.http_server import Answer, Received, http_server

PASSWORD = "hunter2-is-secret"


@asynccontextmanager
async def real_tester(*allow: str, seconds: float = 10.0) -> AsyncGenerator[RealConnectionTester]:
    http = Outgoing(allow=allow)
    try:
        yield RealConnectionTester(http, seconds=seconds)
    finally:
        await http.close()


async def tried(type: str, settings: dict[str, JSON], seconds: float = 10.0, /, **secrets: str) -> Tried:
    connection = Connection(id=ConnectionId(uuid.uuid7()), name="Tried", type=type, settings=settings, secrets=secrets)
    async with real_tester("127.0.0.1", "localhost", seconds=seconds) as real:
        tested = await real.test(connection)
    assert PASSWORD not in f"{tested.message} {tested.remedy}"
    return tested


def told(tested: Tried) -> tuple[bool, str]:
    return tested.ok, tested.message


@pytest.mark.parametrize("type", ["sqlite", "custom"])
async def test_what_is_no_server_cannot_be_tried_out(type: str) -> None:
    assert told(await tried(type, {})) == (False, f"A connection of type {type} cannot be tried out by itself")


HTTP: list[tuple[str, dict[str, JSON], dict[str, str], dict[str, str], str]] = [
    ("http", {"auth": "none"}, {}, {}, "/v1"),
    (
        "http",
        {"auth": "basic", "username": "shop"},
        {"password": PASSWORD},
        {"authorization": f"Basic {base64.b64encode(f'shop:{PASSWORD}'.encode()).decode()}"},
        "/v1",
    ),
    ("http", {"auth": "bearer"}, {"token": PASSWORD}, {"authorization": f"Bearer {PASSWORD}"}, "/v1"),
    ("http", {"auth": "header", "name": "X-Key"}, {"value": PASSWORD}, {"x-key": PASSWORD}, "/v1"),
    ("http", {"auth": "query", "name": "key"}, {"value": "a&b"}, {}, "/v1?key=a%26b"),
    ("openai", {}, {"apiKey": PASSWORD}, {"authorization": f"Bearer {PASSWORD}"}, "/v1/models"),
    ("openai", {}, {}, {}, "/v1/models"),
]


@pytest.mark.parametrize(("type", "settings", "secrets", "headers", "target"), HTTP)
async def test_an_http_service_gets_a_request_with_what_authenticates_it(
    type: str, settings: dict[str, JSON], secrets: dict[str, str], headers: dict[str, str], target: str
) -> None:
    async with http_server() as server:
        server.answers[target.partition("?")[0]] = Answer(status=204)
        tested = await tried(type, {"baseUrl": f"{server.url}/v1", **settings}, 10.0, **secrets)

    (received,) = server.received
    assert told(tested) == (True, "The service answers with the status 204")
    assert (received.method, received.target) == ("GET", target)
    assert {name: received.headers.get(name) for name in ("authorization", "x-key")} == {
        "authorization": headers.get("authorization"),
        "x-key": headers.get("x-key"),
    }
    assert tested.ms > 0


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (302, True), (404, True), (401, False), (403, False), (500, False), (503, False)]
)
async def test_the_status_of_an_http_service_tells_whether_it_lets_us_in(status: int, ok: bool) -> None:
    async with http_server() as server:
        server.answers["/"] = Answer(status=status, headers={"location": "http://10.0.0.1/"})
        tested = await tried("http", {"baseUrl": server.url, "auth": "bearer"}, token=PASSWORD)

    assert told(tested) == (ok, f"The service answers with the status {status}")
    assert (tested.remedy is None) is ok
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("type", "settings"),
    [
        ("http", {"baseUrl": "http://127.0.0.1:9/"}),
        ("smtp", {"host": "127.0.0.1", "port": 9}),
        ("postgresql", {"host": "127.0.0.1", "port": 9, "database": "d", "user": "u"}),
        ("mysql", {"host": "127.0.0.1", "port": 9, "database": "d", "user": "u"}),
    ],
)
async def test_a_private_address_is_refused_as_it_is_to_steps(type: str, settings: dict[str, JSON]) -> None:
    connection = Connection(id=ConnectionId(uuid.uuid7()), name="Tried", type=type, settings=settings)
    async with real_tester() as real:
        tested = await real.test(connection)

    assert told(tested) == (False, "127.0.0.1:9 leads to the address 127.0.0.1, which is not public")
    assert tested.remedy == "An administrator may allow it: WEIR_HTTP_ALLOW=127.0.0.1:9"


async def test_a_database_answers_and_a_wrong_password_is_told(database: str) -> None:
    async with postgresql_over_tcp(database) as port:
        settings = postgresql_settings(database, port)
        login = str(settings["user"])  # whose password is its name
        right = await tried("postgresql", settings, password=login)
        wrong = await tried("postgresql", {**settings, "user": "nobody-here"}, password=PASSWORD)
    gone = await tried("postgresql", settings, password=PASSWORD)

    assert told(right) == (True, "The database answers")
    assert wrong.ok is False
    assert (gone.ok, gone.message.startswith(f"No connection to 127.0.0.1:{port}: ")) == (False, True)


class _Mailbox:
    """Accepts the login of one user, and mails that nobody sends."""

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
        return AuthResult(success=right, handled=right)


@asynccontextmanager
async def mail_server() -> AsyncGenerator[int]:
    box = _Mailbox()
    controller = UnthreadedController(
        box,
        hostname="127.0.0.1",
        port=0,
        loop=asyncio.get_running_loop(),
        authenticator=box.authenticate,
        auth_require_tls=False,
    )
    listening = await cast("Any", controller)._create_server()  # begin() would run the loop itself
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def test_a_mail_server_is_greeted_and_signed_in_to() -> None:
    async with mail_server() as port:
        settings: dict[str, JSON] = {"host": "127.0.0.1", "port": port, "tls": "none"}
        greeted = await tried("smtp", settings)
        right = await tried("smtp", {**settings, "username": "shop"}, password=PASSWORD)
        wrong = await tried("smtp", {**settings, "username": "shop"}, password="wrong")
        plain = await tried("smtp", {**settings, "tls": "starttls"})

    assert told(greeted) == told(right) == (True, "The mail server answers")
    assert (wrong.ok, wrong.remedy) == (False, "Check username and password of the connection.")
    assert plain.ok is False


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def silent(_: Received) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with http_server() as server:
        server.answers["/"] = silent
        tested = await tried("http", {"baseUrl": server.url}, 0.2)

    assert tested.ok is False
    assert tested.message.endswith("within 0.2 s")
    assert 150 <= tested.ms < 5_000


async def test_a_secret_that_a_server_repeats_is_masked() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"554 no {PASSWORD} here\r\n".encode())
        await writer.drain()
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    tested = await tried("smtp", {"host": "127.0.0.1", "port": port, "tls": "none"}, password=PASSWORD)
    listening.close()

    assert tested.ok is False
    assert "no ••• here" in tested.message
