"""Changes when measures are chosen, ordered or given their ground in another way."""

import asyncio
import os
import platform
import signal
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from app import logs
from app.settings import Settings
from app.stack import Stack, open_stack
from bench import deliveries, fairness, latency, memory, raw, statements, throughput, validation
from bench.results import Bench, Measure, Result

MEASURES: Mapping[str, Measure] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "fairness": fairness.measure,
    "statements": statements.measure,
    "memory": memory.measure,
    "deliveries": deliveries.measure,
    "validation": validation.measure,
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, by measure, in the order it was measured; where and when."""

    machine: str
    at: datetime
    seconds: float
    results: Mapping[str, Sequence[Result]]


def run(names: Sequence[str], *, data_dir: Path | None, seconds: float, say: Say) -> Report:
    """Measure what `names` say. The raw limits come first, always: the others are held against them."""
    with _ground(data_dir, say) as stack:
        logs.configure(stack.settings)
        try:
            results = uvloop.run(_measure(names, stack, seconds, say))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    return Report(machine=_machine(), at=datetime.now(UTC), seconds=seconds, results=results)


async def _measure(names: Sequence[str], stack: Stack, seconds: float, say: Say) -> Mapping[str, Sequence[Result]]:
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # leaves nothing behind, as Ctrl-C does
    say("raw: what the machine does without Weir")
    first = await raw.measure(Bench(stack=stack, seconds=seconds, say=say))
    bench = Bench(stack=stack, seconds=seconds, say=say, limits=raw.limits(first))
    results = {"raw": first}
    for name, measure in MEASURES.items():
        if name in names:
            results[name] = await measure(bench)
    return results


@contextmanager
def _ground(data_dir: Path | None, say: Say) -> Generator[Stack]:
    """The servers of `data_dir`, or durable ones of a directory that is removed at the end."""
    if data_dir is not None:
        with open_stack(Settings.load(data_dir=data_dir), report=say) as stack:
            yield stack
        return
    passing = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    passing.chmod(0o711)  # where root starts them, the servers' account passes through
    with open_stack(Settings.load(data_dir=passing), report=say, passing=True) as stack:
        yield stack


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
