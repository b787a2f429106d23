"""Worker processes and the servers they stand on: changes when these are started, harmed or killed otherwise."""

import asyncio
import base64
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg
from redis.asyncio import Redis

from app.settings import PROJECT
from app.stack import Stack
from db.connections import EnginePool
from db.outages import OUTAGE
from domain.ids import WorkerId

T = TypeVar("T")


async def until(what: str, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
    """The first true answer; asked every 50 ms, also while PostgreSQL is away."""
    limit = asyncio.get_running_loop().time() + seconds
    last: object = None
    while asyncio.get_running_loop().time() < limit:
        try:
            answer = last = await ask()
        except (asyncpg.PostgresError, *OUTAGE) as error:
            last = error
        else:
            if answer:
                return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what} (last: {last!r})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    process: Process
    log: Path
    id: WorkerId

    def send(self, number: signal.Signals) -> datetime:
        """When it was sent."""
        self.process.send_signal(number)
        return datetime.now(UTC)

    def complaints(self) -> list[str]:
        """The errors it logged, and what it died of."""
        marks = ('"level": "ERROR"', '"level": "CRITICAL"')
        lines = self.log.read_text().splitlines()
        return [line for line in lines if line.startswith("Traceback") or any(mark in line for mark in marks)]


@dataclass(slots=True, kw_only=True)
class Workers:
    """The worker processes of one test. `allow`: the private HOST:PORT that their workflows may call."""

    stack: Stack
    pool: EnginePool
    directory: Path
    allow: str
    processes: list[Process] = field(default_factory=list[Process])

    async def start(self, *, capacity: int = 500, steps: int = 200, tending: bool = True) -> Worker:
        """One that is ready, for at most `capacity` executions and `steps` steps at once.

        `tending`: it starts embedded servers again that die. Else the servers are somebody else's to it.
        """
        log = self.directory / f"worker-{len(self._logs()) + 1}.log"
        command = (sys.executable, "-P", "-m", "app.cli", "worker", "--tied", "--data-dir", str(self.stack.data_dir))
        environment = self._environment(capacity, steps, tending)
        with log.open("wb") as stderr:
            process = await create_subprocess_exec(
                *command, stdin=PIPE, stdout=DEVNULL, stderr=stderr, env=environment, start_new_session=True
            )
        self.processes.append(process)

        async def ready() -> bool:
            assert process.returncode is None, log.read_text()
            return "worker ready" in log.read_text()

        await until("a worker is ready", 20, ready)
        registered = "SELECT id FROM worker WHERE pid = $1 ORDER BY started_at DESC LIMIT 1"
        return Worker(process=process, log=log, id=WorkerId(await self.pool.fetchval(registered, process.pid)))

    async def start_two(self, *, steps: int = 200, tending: bool = True) -> tuple[Worker, Worker]:
        """Of which neither can take everything."""
        one, other = await asyncio.gather(
            self.start(capacity=120, steps=steps, tending=tending),
            self.start(capacity=120, steps=steps, tending=tending),
        )
        return one, other

    async def end(self, report: Callable[[str], None]) -> None:
        """Kill them, also what stands still, and show what they said."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        for log in self._logs():
            report("\n".join([f"--- {log.name}", *log.read_text().splitlines()[-40:]]))

    def _logs(self) -> list[Path]:
        return sorted(self.directory.glob("worker-*.log"))

    def _environment(self, capacity: int, steps: int, tending: bool) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        own |= {"PYTHONPATH": str(PROJECT), "WEIR_HTTP_ALLOW": self.allow, "WEIR_LOG_FORMAT": "json"}
        own |= {"WEIR_WORKER_CAPACITY": str(capacity), "WEIR_WORKER_STEPS": str(steps)}
        if not tending:
            own["WEIR_DATABASE_URL"] = self.stack.database_url
            own["WEIR_REDIS_URL"] = self.stack.redis_url
            own["WEIR_MASTER_KEY"] = base64.b64encode(self.stack.master_keys().all()[0]).decode()
        return own


async def flush_redis(stack: Stack) -> None:
    await _ask_redis(stack, "FLUSHALL")


async def kill_redis(stack: Stack) -> None:
    information = await _ask_redis(stack, "INFO", "server")
    os.kill(information["process_id"], signal.SIGKILL)


async def kill_postgres(stack: Stack) -> None:
    """Kill the postmaster; its processes end when they notice."""
    connection = await asyncpg.connect(stack.database_url)
    cluster = Path(await connection.fetchval("SHOW data_directory"))
    await connection.close()
    os.kill(int((cluster / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)


async def bring_back(stack: Stack) -> None:
    """Start the servers again that have died."""
    await asyncio.to_thread(stack.revive, print)


async def _ask_redis(stack: Stack, *command: str) -> Any:
    async with cast("Any", Redis).from_url(stack.redis_url) as redis:
        return await redis.execute_command(*command)
