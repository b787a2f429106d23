"""How many events watchers get in a second: WebSockets that each watch an execution through its subscription."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import cast

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.installation import Installation, Unmeasurable, installed
from bench.processes import KNOWN, cpu_seconds
from bench.results import Bench, Limit, Result
from bench.workflows import wait_then_chain
from domain.ids import ExecutionId, encode
from domain.json import JSON, JSONObject, as_list, as_object

EXECUTIONS, WATCHERS_EACH, STEPS = 20, 10, 100
_SUBSCRIBE = """
subscription ($id: ID!) {
  executionEvents(id: $id) {
    __typename
    ... on ExecutionEventBatch { events { seq kind path at durationMs data } cursor }
  }
}
"""
_SIGNAL = 'mutation ($id: ID!) { signalSend(executionId: $id, name: "go", payload: {n: 0}) { errors { message } } }'
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """`rate`: events per second that reached a watcher; `batch`: events per frame; `busy`: cores the API had."""

    rate: float
    batch: float
    busy: float


@dataclass(slots=True, eq=False)
class _Watcher:
    """One WebSocket with one subscription; how much has come over it."""

    socket: ClientConnection
    events: int = 0
    frames: int = 0

    async def until(self, kind: str) -> None:
        """Read until an event of this kind has come."""
        async for text in self.socket:
            message = as_object(cast("JSON", orjson.loads(text)))
            if message.get("type") != "next":
                raise Unmeasurable(f"A subscription ended early: {message}")
            data = as_object(as_object(message["payload"]).get("data"))
            batch = as_list(as_object(data.get("executionEvents")).get("events"))
            self.events += len(batch)
            self.frames += 1
            if any(as_object(event)["kind"] == kind for event in batch):
                return
        raise Unmeasurable(f"A subscription was closed before {kind} had come")


async def measure(bench: Bench) -> Sequence[Result]:
    """Medians of three rounds; the watchers are connected and up to date before anything happens."""
    async with installed(bench) as weir:
        workflow = await weir.publish("watched", wait_then_chain("go", STEPS))
        rounds: list[_Round] = []
        for number in range(_ROUNDS + 1):
            executions = await weir.start_many(workflow, [{"n": 0}] * EXECUTIONS)
            rounds.append(await _round(weir, executions))
            bench.say(f"deliveries: round {number} of {_ROUNDS}: {rounds[-1].rate:,.0f} events per second")
    warm, watchers = rounds[1:], EXECUTIONS * WATCHERS_EACH
    rate, busy = median(each.rate for each in warm), median(each.busy for each in warm)
    found = [
        bench.against(f"events to {watchers} WebSockets", rate, "/s", Limit.PUBLISHES),
        Result(name="events in a frame", value=median(each.batch for each in warm), unit="each"),
    ]
    if KNOWN:
        found.append(Result(name="the API's share", value=busy, unit="cores", versus="one core", reference=1.0))
    return found


async def _round(weir: Installation, executions: Sequence[ExecutionId]) -> _Round:
    """From the signals on until every watcher has seen the end."""
    async with AsyncExitStack() as stack:
        watchers = [
            await stack.enter_async_context(_watching(weir, execution))
            for execution in executions
            for _ in range(WATCHERS_EACH)
        ]
        await asyncio.gather(*(watcher.until("WAITING") for watcher in watchers))
        for watcher in watchers:
            watcher.events = watcher.frames = 0
        before, began = cpu_seconds([weir.api]), perf_counter()
        ends = asyncio.gather(*(watcher.until("EXECUTION_COMPLETED") for watcher in watchers))
        await asyncio.gather(*(weir.ask(_SIGNAL, id=encode("execution", execution)) for execution in executions))
        async with asyncio.timeout(60):
            await ends
        took = perf_counter() - began
        busy = (cpu_seconds([weir.api]) - before) / took
    events, frames = sum(each.events for each in watchers), sum(each.frames for each in watchers)
    return _Round(rate=events / took, batch=events / frames, busy=busy)


@asynccontextmanager
async def _watching(weir: Installation, execution: ExecutionId) -> AsyncGenerator[_Watcher]:
    address = weir.url.replace("http://", "ws://") + "/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(address, subprotocols=[protocol], compression=None, proxy=None) as socket:
        await socket.send(_text({"type": "connection_init", "payload": {"x-api-key": weir.api_key}}))
        await socket.recv()
        variables: JSONObject = {"id": encode("execution", execution)}
        subscribe: JSONObject = {"query": _SUBSCRIBE, "variables": variables}
        await socket.send(_text({"id": "1", "type": "subscribe", "payload": subscribe}))
        yield _Watcher(socket=socket)


def _text(message: JSONObject) -> str:
    return orjson.dumps(message).decode()
