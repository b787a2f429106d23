"""How long one execution takes that has the machine to itself: until its first step, from step to step, in all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from time import perf_counter

from bench.installation import Installation, Unmeasurable, installed
from bench.results import Bench, Limit, Result, percentile
from bench.workflows import STEPS, chain
from domain.ids import WorkflowId, decode, encode
from domain.json import JSON, as_object

TARGET_MS = 1.0
"""From a step's end to the next one's, one after the other."""
_START = """
mutation ($input: ExecutionStartInput!) {
  executionStart(input: $input) { errors { message } timedOut execution { id status output } }
}
"""
_STEPS = """
SELECT at FROM execution_event WHERE execution_id = $1 AND kind = 'STEP_COMPLETED' ORDER BY seq
"""
_WARM = 20


class _Times:
    """Milliseconds of every execution that was measured."""

    def __init__(self) -> None:
        self.first: list[float] = []
        self.gaps: list[float] = []
        self.whole: list[float] = []

    def add(self, sent: datetime, steps: Sequence[datetime], whole: float) -> None:
        """`steps`: when the trigger and each step had ended; `whole`: seconds until the answer."""
        self.first.append((steps[1] - sent).total_seconds() * 1000)
        self.gaps.extend((b - a).total_seconds() * 1000 for a, b in pairwise(steps))
        self.whole.append(whole * 1000)


async def measure(bench: Bench) -> Sequence[Result]:
    """One execution after the other, each started synchronously over HTTP."""
    async with installed(bench) as weir:
        workflow = await weir.publish("one after the other", chain(STEPS))
        times = _Times()
        for _ in range(_WARM):
            await _execute(weir, workflow, _Times())
        began = perf_counter()
        while not times.whole or perf_counter() - began < bench.seconds:
            await _execute(weir, workflow, times)
        bench.say(f"latency: {len(times.whole)} executions, one after the other")
    commit = 1000 / bench.limits[Limit.COMMITS]
    return [
        _step("from step to step, p50", percentile(times.gaps, 0.5)),
        _step("from step to step, p99", percentile(times.gaps, 0.99)),
        _held("start to the first step's end, p50", percentile(times.first, 0.5), commit),
        _held("start to the first step's end, p99", percentile(times.first, 0.99), commit),
        _held("start to the answer of all ten, p50", percentile(times.whole, 0.5), commit),
        _held("start to the answer of all ten, p99", percentile(times.whole, 0.99), commit),
    ]


def _step(name: str, value: float) -> Result:
    return Result(name=name, value=value, unit="ms", versus="the target", reference=TARGET_MS)


def _held(name: str, value: float, commit: float) -> Result:
    return Result(name=name, value=value, unit="ms", versus="one durable commit", reference=commit)


async def _execute(weir: Installation, workflow: WorkflowId, times: _Times) -> None:
    given: JSON = {"workflowId": encode("workflow", workflow), "input": {"n": 0}, "mode": "SYNC"}
    sent, began = datetime.now(UTC), perf_counter()
    data = await weir.ask(_START, input=given)
    whole = perf_counter() - began
    execution = as_object(as_object(data["executionStart"])["execution"])
    if execution["output"] != {"n": STEPS}:
        raise Unmeasurable(f"An execution that should have counted to {STEPS} ended with {execution}")
    rows = await weir.pool.fetch(_STEPS, decode("execution", str(execution["id"])))
    times.add(sent, [row["at"] for row in rows], whole)
