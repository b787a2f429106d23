"""Database servers as tenants have them, reached over TCP on this machine, and database nodes that ask them."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.connections import Connections
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.ids import TenantId
from domain.json import JSON, JSONObject
from tests.certificates import Certificate
from tests.unit.node_world import NodeWorld
from weir_kit import GivenConnections, connection

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_SOCKET = ".s.PGSQL.5432"
PASSWORD = "pass-word-of-the-test"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A tenant's database, and a world whose connection `shop` leads there."""

    type: str
    settings: JSONObject
    password: str
    world: NodeWorld

    def world_with(self, **settings: JSON) -> NodeWorld:
        """The world with other settings of the connection."""
        given = {**self.settings, **settings}
        shop = connection("shop", type=self.type, settings=given, secrets={"password": self.password})

        def connections(tenant: TenantId) -> Connections:
            return GivenConnections([shop])

        return replace(self.world, supplies=replace(self.world.supplies, connections=connections))

    async def run(self, query: str | None = None, *, input: JSON = None, **config: JSON) -> Outcome:
        asked = {"connection": "shop", **({"query": query} if query else {}), **config}
        return await self.world_with().run("database", asked, input=input)

    async def output(self, query: str | None = None, *, input: JSON = None, **config: JSON) -> JSON:
        outcome = await self.run(query, input=input, **config)
        assert isinstance(outcome, Completed), outcome
        return outcome.output

    async def failure(self, query: str | None = None, *, input: JSON = None, **config: JSON) -> Failed:
        outcome = await self.run(query, input=input, **config)
        assert isinstance(outcome, Failed), outcome
        return outcome


@asynccontextmanager
async def postgresql_over_tcp(dsn: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """The port of a way to the server behind `dsn`, which itself has only a Unix socket."""
    (directory,) = parse_qs(urlsplit(dsn).query)["host"]
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                writer.write(b"S" if tls else b"N")
                if tls:
                    await writer.start_tls(tls)
                first = b""
            answers, server = await asyncio.open_unix_connection(str(Path(directory) / _SOCKET))
            server.write(first)
            await asyncio.gather(_pump(reader, server), _pump(answers, writer))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    finally:
        target.close()


def postgresql_settings(dsn: str, port: int, host: str = "127.0.0.1") -> dict[str, JSON]:
    parts = urlsplit(dsn)
    settings: dict[str, JSON] = {"host": host, "port": port, "tls": "none"}
    return {**settings, "database": parts.path.lstrip("/"), "user": parts.username or ""}


@contextmanager
def mariadb(certificate: Certificate) -> Generator[int]:
    """The port of a new MariaDB with the database `target`, the user `weir` and PASSWORD; skips where there is none."""
    program = shutil.which("mariadbd")
    if program is None:
        pytest.skip("MariaDB is not installed")
    with tempfile.TemporaryDirectory(prefix="weir-mariadb-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        _lay_out(program, home)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        with (home / "log").open("wb") as log:
            options = {
                "port": port,
                "bind-address": "127.0.0.1",
                "socket": home / "socket",
                "init-file": home / "users.sql",
                "ssl-cert": certificate.certificate,
                "ssl-key": certificate.key,
                "innodb-buffer-pool-size": "16M",
                "character-set-server": "utf8mb4",
            }
            command = [*_command(program, home), *(f"--{name}={value}" for name, value in options.items())]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process, home, port)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _command(program: str, home: Path) -> list[str]:
    account = ["--user=root"] if os.geteuid() == 0 else []
    return [program, "--no-defaults", *account, f"--datadir={home / 'data'}", f"--lc-messages-dir={_scripts(program)}"]


def _scripts(program: str) -> Path:
    share = Path(program).resolve().parent.parent / "share"
    for folder in (share / "mysql", share / "mariadb", Path("/usr/share/mysql"), Path("/usr/share/mariadb")):
        if list(folder.glob("*_system_tables.sql")):
            return folder
    pytest.skip("MariaDB is not installed with the scripts that make its system tables")


def _lay_out(program: str, home: Path) -> None:
    """What mariadb-install-db does, without the other packages it wants."""
    (home / "data").mkdir()
    scripts = _scripts(program)
    statements = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]
    for name in ("*_system_tables.sql", "*_system_tables_data.sql"):
        statements += [script.read_text() for script in scripts.glob(name)]
    done = subprocess.run(
        [*_command(program, home), "--bootstrap", "--innodb-flush-log-at-trx-commit=0"],
        input="\n".join(statements),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1_000:]
    (home / "users.sql").write_text(
        "CREATE DATABASE target;\n"
        f"CREATE USER weir@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON target.* TO weir@'127.0.0.1';\n"
    )


def _wait(process: "subprocess.Popen[bytes]", home: Path, port: int) -> None:
    """Until it listens: it does so only when the init file has run."""
    for _ in range(600):
        assert process.poll() is None, (home / "log").read_text()[-1_000:]
        with socket.socket() as attempt:
            attempt.settimeout(0.05)
            if attempt.connect_ex(("127.0.0.1", port)) == 0 and "ready for connections" in (home / "log").read_text():
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError("MariaDB does not come up")
