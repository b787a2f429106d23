"""`weir up` and `weir serve`: the API of one process, and for `up` the workers beside it."""

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
import uvloop
from starlette.types import ASGIApp

from app import logs
from app.api import running_api
from app.bootstrap import FILE, Credentials, ensure_credentials
from app.patient_http import PatientHttp
from app.scheduler import keep_partitions_ahead
from app.settings import PROJECT, Settings, environment
from app.signals import stop_event
from app.stack import Stack, open_stack
from app.worker import until_stopped
from db.migrate import migrate
from domain.errors import InvalidState

Say = Callable[[str], None]

_WORKER = (sys.executable, "-P", "-m", "app.cli", "worker", "--tied", "--data-dir")


def run_up(
    settings: Settings,
    *,
    host: str | None,
    port: int | None,
    workers: int,
    say: Say,
    ready: Say,
    alone: bool = False,
) -> None:
    """Blocks until SIGINT or SIGTERM. `alone`: the API and nothing else. Raises InvalidState for a taken port."""
    logs.configure(settings)
    with listening(host or settings.host, settings.port if port is None else port) as bound:
        address = {"host": host or settings.host, "port": bound.getsockname()[1]}
        settings = settings.model_copy(update=address)
        with open_stack(settings, report=say) as stack:
            uvloop.run(_serve(stack, bound, workers=workers, say=say, ready=ready, alone=alone))


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; raises InvalidState when the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidState(
            f"{host}:{port} cannot be listened on: {error.strerror}", remedy="Choose another --port, or 0 for any."
        ) from error
    return bound


async def _serve(stack: Stack, bound: socket.socket, *, workers: int, say: Say, ready: Say, alone: bool) -> None:
    stop = stop_event()
    settings = stack.settings
    await migrate(stack.database_url)
    async with AsyncExitStack() as running:
        api = await running.enter_async_context(
            running_api(
                database_url=stack.database_url,
                redis_url=stack.redis_url,
                master_keys=stack.master_keys(),
                settings=settings,
            )
        )
        if not alone:
            credentials = await ensure_credentials(api.pool, stack.data_dir, settings.url)
            _welcome(credentials, stack, say)
            ahead = asyncio.create_task(keep_partitions_ahead(stack.database_url))
            running.callback(ahead.cancel)
        for number in range(workers):  # their imports take a core each; the API comes first
            await running.enter_async_context(_worker(stack, number, say))
        await running.enter_async_context(serving(api.app, bound))
        ready(f"ready {settings.url}")
        await until_stopped(stop, None, stack, say)
        say("stopping")


def _welcome(credentials: Credentials, stack: Stack, say: Say) -> None:
    if stack.settings.shows_graphiql:
        say(f"GraphiQL is at {credentials.url}/graphql")
    say(f"sign in as {credentials.email} of tenant {credentials.tenant}; password and API key: {stack.data_dir / FILE}")
    say(f'try: curl {credentials.url}/graphql -H "X-API-Key: $KEY" -H "Content-Type: application/json"')
    say("""           -d '{"query": "{ viewer { tenant { name } } }"}'""")


@asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncGenerator[None]:
    """The application on this socket while the block runs."""
    config = uvicorn.Config(
        app,
        http=PatientHttp,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=1024 * 1024,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    listens = asyncio.create_task(server.listens.wait())
    await asyncio.wait([task, listens], return_when=asyncio.FIRST_COMPLETED)
    listens.cancel()
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has its own, and must hear each signal once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def _worker(stack: Stack, number: int, say: Say) -> AsyncGenerator[None]:
    """A worker process that is started again when it dies, until the block ends; then it drains."""
    process: list[Process] = [await _start(stack)]

    async def keep() -> None:
        while True:
            status = await process[-1].wait()
            say(f"worker {number + 1} ended with status {status}; starting it again")
            await asyncio.sleep(0.5)
            process.append(await _start(stack))

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        if process[-1].returncode is None:
            process[-1].terminate()
            await process[-1].wait()


async def _start(stack: Stack) -> Process:
    """Tied to this process by its standard input: when this one is killed, it drains and ends. Ctrl-C misses it."""
    return await create_subprocess_exec(
        *_WORKER,
        str(stack.data_dir),
        stdin=PIPE,
        stdout=DEVNULL,
        env=_environment(stack.settings),
        start_new_session=True,
    )


def _environment(settings: Settings) -> Mapping[str, str]:
    path = environment().get("PYTHONPATH", "")
    known = path if str(PROJECT) in path.split(":") else f"{PROJECT}:{path}".rstrip(":")
    return {**environment(), "PYTHONPATH": known, "WEIR_PUBLIC_URL": settings.url}
