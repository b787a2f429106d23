"""What executions weigh in a worker: 1,000 that run, each in a request without an answer, and 10,000 that wait."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.installation import Installation, Unmeasurable, installed
from bench.processes import KNOWN, resident_bytes
from bench.results import Bench, Result
from bench.workflows import call, wait_then_chain
from domain.ids import WorkflowId

RUNNING, WAITING = 1_000, 10_000
_SLOTS = str(RUNNING + 100)
_HELD = "SELECT count(*) FROM execution WHERE workflow_id = $1 AND owner IS NOT NULL"
_WAITS = "SELECT count(*) FROM execution WHERE workflow_id = $1 AND owner IS NULL AND status = 'WAITING'"
_EACH = 1_000
_MEGABYTE = 1_000_000


@dataclass(slots=True, eq=False)
class _Slow:
    """A server that takes requests and keeps silent until `answer`."""

    port: int = 0
    requests: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        async with self.arrived:
            self.requests += 1
            self.arrived.notify_all()
        await self.answer.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async def has(self, requests: int) -> None:
        async with self.arrived, asyncio.timeout(60):
            await self.arrived.wait_for(lambda: self.requests >= requests)


@asynccontextmanager
async def _slow() -> AsyncGenerator[_Slow]:
    slow = _Slow()
    async with await asyncio.start_server(slow.serve, "127.0.0.1", backlog=RUNNING) as server:
        slow.port = server.sockets[0].getsockname()[1]
        yield slow
        slow.answer.set()


async def measure(bench: Bench) -> Sequence[Result]:
    """Resident memory of the worker processes before and with them; a worker that has worked before."""
    if not KNOWN:
        raise Unmeasurable("Memory is read from /proc, which this system does not have")
    async with _slow() as slow:
        settings = {
            "WEIR_HTTP_ALLOW": f"127.0.0.1:{slow.port}",
            "WEIR_WORKER_CAPACITY": _SLOTS,
            "WEIR_WORKER_STEPS": _SLOTS,
        }
        async with installed(bench, **settings) as weir:
            waiting, rested = await _waiting(bench, weir)
            running, idle = await _running(bench, weir, slow)
            slow.answer.set()
    return [
        _weight(f"{RUNNING:,} running executions", running - idle, idle),
        _weight(f"{WAITING:,} waiting executions", waiting - rested, rested),
    ]


def _weight(name: str, value: int, worker: int) -> Result:
    megabytes = worker / _MEGABYTE
    return Result(name=name, value=value / _MEGABYTE, unit="MB", versus="the worker without them", reference=megabytes)


async def _waiting(bench: Bench, weir: Installation) -> tuple[int, int]:
    """The workers' memory with those that wait, and before."""
    workflow = await weir.publish("waiting", wait_then_chain("go", 0))
    await _start_waiting(weir, workflow, _EACH, _EACH)
    before = resident_bytes(weir.workers)
    bench.say(f"memory: {WAITING:,} executions that wait")
    await _start_waiting(weir, workflow, WAITING, _EACH + WAITING)
    return resident_bytes(weir.workers), before


async def _start_waiting(weir: Installation, workflow: WorkflowId, count: int, wanted: int) -> None:
    for _ in range(0, count, _EACH):
        await weir.start_many(workflow, [{"n": 0}] * _EACH)
    await weir.reach(_WAITS, workflow, wanted)


async def _running(bench: Bench, weir: Installation, slow: _Slow) -> tuple[int, int]:
    """The workers' memory with those that run, and before."""
    workflow = await weir.publish("running", call(f"http://127.0.0.1:{slow.port}/"))
    before = resident_bytes(weir.workers)
    bench.say(f"memory: {RUNNING:,} executions that run")
    executions = await weir.start_many(workflow, [{"n": 0}] * RUNNING)
    await slow.has(RUNNING)
    await weir.reach(_HELD, workflow, RUNNING)
    held = resident_bytes(weir.workers)
    slow.answer.set()
    await weir.over(executions)
    return held, before
