"""The database node and servers that are none: whatever they say, the step fails in time and nothing else happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from domain.connections import Connections
from domain.engine.outcomes import Failed
from domain.ids import TenantId
from domain.json import JSON
from tests.unit.node_world import NodeWorld, node_world
from weir_kit import GivenConnections, connection

GREETING = (
    b"J\x00\x00\x00\x0a8.0.0\x00\x01\x00\x00\x00saltsalt\x00\xff\xf7\x21\x02\x00\xff\x81\x15"
    + b"\x00" * 10
    + b"saltsaltsalt\x00mysql_native_password\x00"
)
SAID = {
    "nothing": b"",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "ones": b"\xff" * 10_000,
    "zeros": bytes(10_000),
    "zeros after a login": b"R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I" + bytes(10_000),
    "a message of 2 GiB": b"R\x7f\xff\xff\xff" + b"x" * 100_000,
    "no such authentication": b"R\x00\x00\x00\x08\x00\x00\x00\x63",
    "a greeting cut short": GREETING[:30],
    "a request for a file": len(GREETING).to_bytes(3, "little")
    + b"\x00"
    + GREETING
    + b"\x0c\x00\x00\x02\xfb/etc/passwd",
}


@pytest.fixture(scope="module")
async def bare() -> AsyncGenerator[NodeWorld]:
    async with node_world(allow=("127.0.0.1",)) as world:
        yield world


@asynccontextmanager
async def impostor(said: bytes, *, stays: bool) -> AsyncGenerator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(said)
            await writer.drain()
            if stays:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def leading_to(world: NodeWorld, type: str, **settings: JSON) -> NodeWorld:
    given: dict[str, JSON] = {"host": "127.0.0.1", "database": "a", "user": "b", "tls": "none", **settings}
    shop = connection("shop", type=type, settings=given, secrets={"password": "pass-word"})

    def connections(tenant: TenantId) -> Connections:
        return GivenConnections([shop])

    return replace(world, supplies=replace(world.supplies, connections=connections))


@pytest.mark.parametrize("type", ["postgresql", "mysql"])
@pytest.mark.parametrize("tls", ["none", "require"])
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("said", SAID)
async def test_an_impostor_fails_the_step_in_time(bare: NodeWorld, type: str, tls: str, stays: bool, said: str) -> None:
    async with impostor(SAID[said], stays=stays) as port:
        world = leading_to(bare, type, port=port, tls=tls)
        outcome = await asyncio.wait_for(
            world.run("database", {"connection": "shop", "query": "SELECT 1", "timeout": 0.2}), 5
        )

    assert isinstance(outcome, Failed)
    assert outcome.code in ("CONNECTION_FAILED", "TIMEOUT", "TLS_FAILED", "AUTHENTICATION_FAILED", "SQL_ERROR")
    assert "pass-word" not in repr(outcome)


@pytest.mark.parametrize(
    ("type", "settings"),
    [
        ("postgresql", {"host": None}),
        ("postgresql", {"port": "5432"}),
        ("mysql", {"database": ""}),
        ("mysql", {"user": 7}),
        ("mysql", {"tls": "maybe"}),
        ("smtp", {}),
        ("postgresql", {"tls": "verify", "ca": "nonsense", "port": 9}),
    ],
)
async def test_a_connection_that_does_not_fit_is_refused(bare: NodeWorld, type: str, settings: dict[str, JSON]) -> None:
    outcome = await leading_to(bare, type, **settings).run("database", {"connection": "shop", "query": "SELECT 1"})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CONNECTION_INVALID", False)


async def test_a_connection_that_is_not_there_is_refused(bare: NodeWorld) -> None:
    outcome = await leading_to(bare, "mysql").run("database", {"connection": "other", "query": "SELECT 1"})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("NOT_FOUND", False)
