"""A loop of ten thousand iterations costs the log, the worker and whoever watches no more than it must."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.stack import Stack
from db.connections import EnginePool
from domain.formats import Format, dumps
from domain.formats.stored import graph_to_json
from domain.graphs import Document, Graph
from domain.ids import ExecutionId, decode
from tests.acceptance.cluster import Worker, Workers
from tests.acceptance.receiver import Receiver
from tests.acceptance.served import Front
from tests.contract.flows import edges, flow, give, step

pytestmark = pytest.mark.acceptance
Record = Callable[[str, object], None]
FEW, MANY, AT_ONCE = 100, 10_000, 20
START = """mutation ($workflow: ID!, $n: JSON) {
  executionStart(input: { workflowId: $workflow, input: $n }) { execution { id } errors { code message } } }"""
WATCH = """subscription ($id: ID!) { executionEvents(id: $id) { __typename
  ... on ExecutionEventBatch { events { seq kind path } }
  ... on StreamCaughtUp { currentSteps { path status } }
  ... on StreamEnd { status } } }"""
BODY = Graph(
    nodes=[give("double", n="{{ index * 2 }}"), give("more", n="{{ input.n + 1 }}")], edges=edges("double > more")
)
LOOPS = flow(
    step(
        "loop",
        "loop",
        type="for",
        times="{{ input }}",
        concurrency=AT_ONCE,
        results="last",
        body=graph_to_json(BODY),
    ),
    "start > loop",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an execution came to. `frames` went to who watched it from its beginning; sizes are in bytes."""

    rows: int
    log: int
    peak_memory: int
    left_over: int
    frames: Sequence[Any]

    def of_kind(self, name: str) -> list[Any]:
        return [frame for frame in self.frames if frame["__typename"] == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    few: Cost
    many: Cost


@pytest.fixture
async def measured(servers: Stack, pool: EnginePool, receiver: Receiver, workers: Workers) -> AsyncGenerator[Measured]:
    front = Front(data_dir=servers.data_dir)
    await front.start()
    worker = await workers.start()
    workflow = await front.api.published(dumps(Document(name="Loops", definition=LOOPS), Format.YAML))
    few = await _run(front, worker, pool, workflow, FEW)
    yield Measured(few=few, many=await _run(front, worker, pool, workflow, MANY))
    await front.end()


async def test_ten_thousand_iterations_cost_little_each(measured: Measured, record_property: Record) -> None:
    few, many = measured.few, measured.many
    assert (few.rows, many.rows) == (2 * FEW + 6, 2 * MANY + 6)
    assert many.log <= 1.1 * MANY / FEW * few.log, "an iteration writes more when there are many"
    assert many.left_over == 0
    assert many.peak_memory < 1.5 * few.peak_memory

    for frame in many.of_kind("StreamCaughtUp"):
        assert len(frame["currentSteps"]) <= 2 * AT_ONCE + 1
        assert len(json.dumps(frame)) < 8 * 1024
    seen = [event["seq"] for frame in many.of_kind("ExecutionEventBatch") for event in frame["events"]]
    assert seen == [str(number) for number in range(1, many.rows + 1)]
    assert max(len(json.dumps(frame)) for frame in many.frames) < 256 * 1024
    record_property("a row has", f"{many.log // many.rows} bytes")
    record_property("the worker's peak", f"{few.peak_memory >> 20} MiB, then {many.peak_memory >> 20} MiB")
    record_property("the largest frame", f"{max(len(json.dumps(frame)) for frame in many.frames) >> 10} KiB")


async def _run(front: Front, worker: Worker, pool: EnginePool, workflow: str, n: int) -> Cost:
    begun = (await front.data(START, workflow=workflow, n=n))["executionStart"]
    assert begun["errors"] == []
    execution = ExecutionId(decode("execution", begun["execution"]["id"]))
    frames = [each["executionEvents"] for each in await front.api.results(WATCH, id=begun["execution"]["id"])]
    assert frames[-1] == {"__typename": "StreamEnd", "status": "COMPLETED"}
    row = await pool.fetchrow(
        "SELECT count(*) AS rows, sum(octet_length(payload::text)) AS log FROM execution_event WHERE execution_id = $1",
        execution,
    )
    assert row is not None
    left = await pool.fetchval("SELECT count(*) FROM execution_state WHERE execution_id = $1", execution)
    return Cost(rows=row["rows"], log=row["log"], peak_memory=_peak_memory(worker), left_over=left, frames=frames)


def _peak_memory(worker: Worker) -> int:
    """The most that was resident so far."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
