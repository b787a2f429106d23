"""Every way out of a worker passes the address guard: each node kind and connection test is sent to this machine."""

import ast
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.settings import PROJECT
from domain.connections import Connections
from domain.engine.outcomes import Completed, Failed
from domain.files import Files
from domain.ids import TenantId
from domain.json import JSON, JSONObject
from jobs.connection_tests import RealConnectionTester
from jobs.connectors import PROVIDERS
from jobs.nodes import CATALOG
from jobs.outgoing import Outgoing
from tests.unit.connector_cases import CASES
from tests.unit.node_world import NodeWorld, node_world
from tests.unit.test_outgoing_hostile import Doorkeeper, doorkeeper
from weir_kit import Connection, GivenConnections, MemoryFiles, connection

SILENT = frozenset(
    {
        *("approval", "cancel", "delay", "end", "fail", "filter", "if", "log", "loop", "merge", "parallel", "publish"),
        *("respond", "set", "subworkflow", "switch", "transform", "trigger", "validate", "wait"),
    }
)
"""Kinds that speak to nobody but Weir's own servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A node that tries to reach 127.0.0.1:`port`."""

    kind: str
    config: JSONObject
    name: str
    connection: Connection | None = None


def ways(port: int) -> Iterator[Way]:
    url, there = f"http://127.0.0.1:{port}", {"host": "127.0.0.1", "port": port}
    yield Way(kind="http", name="http", config={"url": url})
    yield Way(kind="webhook", name="webhook", config={"url": url, "secret": "s", "body": 1})
    for provider in PROVIDERS:
        case = next(case for case in CASES if case.provider == provider)
        config: JSONObject = {
            "provider": provider,
            "action": case.action,
            "connection": "it",
            "input": case.input,
        }
        yield Way(kind="connector", name=provider, config=config, connection=_held("http", {"baseUrl": url}))
    held = _held("openai", {"baseUrl": url, "model": "m"})
    yield Way(kind="ai", name="ai", config={"connection": "it", "prompt": "p"}, connection=held)
    for type in ("postgresql", "mysql"):
        held = _held(type, {**there, "database": "d", "user": "u", "tls": "none"})
        yield Way(kind="database", name=type, config={"connection": "it", "query": "SELECT 1"}, connection=held)
    held = _held("smtp", {**there, "tls": "none", "from": "a@example.com"})
    mail: JSONObject = {"connection": "it", "to": "b@example.com", "subject": "s", "text": "t"}
    yield Way(kind="email", name="email", config=mail, connection=held)
    for language, source in (("javascript", f"return await fetch('{url}')"), ("python", f"return fetch('{url}')")):
        code: JSONObject = {"language": language, "source": source, "allowedDomains": ["127.0.0.1"]}
        yield Way(kind="code", name=language, config=code)


def _held(type: str, settings: JSONObject) -> Connection:
    every: dict[str, str] = dict.fromkeys(("token", "apiKey", "apiToken", "value", "password"), "secret")
    auth: dict[str, JSON] = {"auth": "bearer", "email": "a@example.com"}
    return connection("it", type=type, settings={**auth, **settings}, secrets=every)


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    async with node_world() as world:
        yield world


@pytest.fixture
async def keeper() -> AsyncGenerator[Doorkeeper]:
    async with doorkeeper() as keeper:
        yield keeper


def test_every_kind_is_sent_out_here_or_is_silent() -> None:
    tried = {way.kind for way in ways(1)}

    assert tried | SILENT | {"document"} == set(CATALOG.kinds())
    assert not tried & SILENT


@pytest.mark.parametrize("name", [way.name for way in ways(1)])
async def test_a_node_that_is_sent_to_this_machine_connects_to_nothing(
    world: NodeWorld, keeper: Doorkeeper, name: str
) -> None:
    [way] = [way for way in ways(keeper.port) if way.name == name]

    def connections(tenant: TenantId) -> Connections:
        return GivenConnections([way.connection] if way.connection else [])

    there = replace(world, supplies=replace(world.supplies, connections=connections))
    outcome = await there.run(way.kind, way.config)

    assert isinstance(outcome, Failed), outcome
    assert "ADDRESS_REFUSED" in f"{outcome.code}: {outcome.message}"
    assert keeper.came == 0


async def test_a_document_asks_nobody_for_its_pictures_and_styles(world: NodeWorld, keeper: Doorkeeper) -> None:
    url = f"http://127.0.0.1:{keeper.port}"
    template = f"""<html><head><link rel="stylesheet" href="{url}/a.css"><style>@import "{url}/b.css";
        @font-face {{ font-family: x; src: url({url}/c.ttf) }} body {{ background: url({url}/d.png) }}</style></head>
        <body><img src="{url}/e.png"><img src="file:///etc/passwd">text</body></html>"""
    kept = MemoryFiles()

    def files(tenant: TenantId) -> Files:
        return kept

    there = replace(world, supplies=replace(world.supplies, files=files))
    outcome = await there.run("document", {"template": template, "format": "pdf"})

    assert isinstance(outcome, Completed | Failed)
    assert keeper.came == 0


TRIED: tuple[tuple[str, JSONObject], ...] = (
    ("smtp", {"tls": "none", "from": "a@example.com"}),
    ("postgresql", {"tls": "none", "database": "d", "user": "u"}),
    ("mysql", {"tls": "none", "database": "d", "user": "u"}),
    ("http", {"auth": "none"}),
    ("openai", {}),
)


@pytest.mark.parametrize(("type", "more"), TRIED)
async def test_a_connection_that_is_tried_out_reaches_no_private_address(
    keeper: Doorkeeper, type: str, more: JSONObject
) -> None:
    http = Outgoing()
    there: JSONObject = {"baseUrl": f"http://127.0.0.1:{keeper.port}"}
    if type not in ("http", "openai"):
        there = {"host": "127.0.0.1", "port": keeper.port}
    held = connection("it", type=type, settings={**there, **more}, secrets={"apiKey": "hidden", "password": "hidden"})
    tried = await RealConnectionTester(http, seconds=5).test(held)
    await http.close()

    assert (tried.ok, keeper.came) == (False, 0)
    assert "which is not public" in tried.message


NETWORK = frozenset(
    {
        *("aiohttp", "aiomysql", "aiosmtplib", "asyncpg", "ftplib", "http.client", "httpcore", "httpx", "pymysql"),
        *("requests", "smtplib", "socket", "urllib.request", "urllib3", "websockets"),
    }
)
CALLS = frozenset({"create_connection", "create_datagram_endpoint", "getaddrinfo", "open_connection", "sock_connect"})
KNOWN = {
    "jobs/addresses.py": "the guard",
    "jobs/outgoing.py": "HTTP by way of the guard",
    "jobs/smtp.py": "a socket that the guard has connected",
    "jobs/databases/postgresql.py": "addresses that the guard has checked",
    "jobs/databases/mysql.py": "addresses that the guard has checked",
    "jobs/databases/mysql_connection.py": "an address that the guard has checked",
    "jobs/databases/mysql_values.py": "values only",
    "jobs/databases/postgresql_values.py": "types only",
    "jobs/databases/postgresql_wire.py": "counts what passes a connection of the driver",
    "jobs/embedded.py": "Redis of this installation",
}
"""Files below jobs/ and domain/ that can open a connection at all, and how."""


def test_nothing_else_in_the_engine_can_open_a_connection() -> None:
    found = {
        str(path.relative_to(PROJECT))
        for folder in ("domain", "jobs")
        for path in (PROJECT / folder).rglob("*.py")
        if _opens(path)
    }

    assert found - KNOWN.keys() == set()


def _opens(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names) if any(_is_network(name.name) for name in names):
                return True
            case ast.ImportFrom(module=str(module)) if _is_network(module):
                return True
            case ast.Attribute(attr=name) if name in CALLS:
                return True
            case _:
                pass
    return False


def _is_network(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NETWORK)
