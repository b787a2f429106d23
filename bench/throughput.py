"""How many ten-step executions go through in a second: started over HTTP, journaled durably, announced."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from bench.installation import Installation, installed
from bench.processes import KNOWN
from bench.results import Bench, Limit, Result
from bench.workflows import LOG_ROWS, STEPS, chain
from domain.ids import WorkflowId

TARGET = 500.0
"""Executions per second on two cores with everything on them."""
_CLIENTS = 4
_EACH = 500
"""Executions per `executionStartMany`; a client asks for the next when these are over."""
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """`rate`: executions per second; `cpu`: seconds of computing for each, by process; `busy`: cores a worker had."""

    rate: float
    cpu: Mapping[str, float]
    busy: float


async def measure(bench: Bench) -> Sequence[Result]:
    """The median of three rounds."""
    async with installed(bench) as weir:
        workflow = await weir.publish("ten steps", chain(STEPS))
        bench.say("throughput: warming up")
        await _client(weir, workflow, perf_counter())
        rounds: list[_Round] = []
        for number in range(1, _ROUNDS + 1):
            rounds.append(await _round(weir, workflow, bench.seconds))
            bench.say(f"throughput: round {number} of {_ROUNDS}: {rounds[-1].rate:,.0f} executions per second")
    rate = median(each.rate for each in rounds)
    return [
        Result(name="ten-step executions", value=rate, unit="/s", versus="the target", reference=TARGET),
        bench.against("their steps", rate * STEPS, "/s", Limit.TASKS),
        bench.against("their log rows, all durable", rate * LOG_ROWS, "/s", Limit.ROWS),
        *(_computing(rounds) if KNOWN else ()),
    ]


def _computing(rounds: Sequence[_Round]) -> Sequence[Result]:
    """Where the time goes: what is nearest to a whole core limits next."""
    costs = [
        Result(name=f"computing in {name}", value=1000 * median(each.cpu[name] for each in rounds), unit="ms each")
        for name in rounds[0].cpu
    ]
    busy = median(each.busy for each in rounds)
    return [*costs, Result(name="a worker's share", value=busy, unit="cores", versus="one core", reference=1.0)]


async def _round(weir: Installation, workflow: WorkflowId, seconds: float) -> _Round:
    before, began = await weir.computed(), perf_counter()
    count = await executions(weir, workflow, seconds)
    took = perf_counter() - began
    after = await weir.computed()
    cpu = {name: after[name] - before[name] for name in after}
    return _Round(
        rate=count / took,
        cpu={name: value / count for name, value in cpu.items()},
        busy=cpu["the workers"] / took / len(weir.workers),
    )


async def executions(weir: Installation, workflow: WorkflowId, seconds: float) -> int:
    """How many went from the request to their durable end; the clients ask for no more after `seconds`."""
    until = perf_counter() + seconds
    return sum(await asyncio.gather(*(_client(weir, workflow, until) for _ in range(_CLIENTS))))


async def _client(weir: Installation, workflow: WorkflowId, until: float) -> int:
    """Start some, wait for their end, and again until the moment `until`; how many it were."""
    done = 0
    while not done or perf_counter() < until:
        started = await weir.start_many(workflow, [{"n": number} for number in range(_EACH)])
        await weir.over(started)
        done += len(started)
    return done
