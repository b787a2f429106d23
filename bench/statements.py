"""What one ten-step execution costs PostgreSQL: transactions, rows, bytes of its log, flushes.

Weir sends nearly every statement as a transaction of its own, so transactions are what a count of statements would be.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import cast

from bench.installation import Installation, installed
from bench.results import Bench, Result
from bench.workflows import LOG_ROWS, STEPS, chain
from domain.ids import ExecutionId, WorkflowId

_COUNTERS = """
SELECT
    (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()) AS transactions,
    (SELECT sum(n_tup_ins) FROM pg_stat_user_tables) AS inserted,
    (SELECT sum(n_tup_upd) FROM pg_stat_user_tables) AS updated,
    (SELECT sum(n_tup_del) FROM pg_stat_user_tables) AS deleted,
    (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal') AS flushes,
    (SELECT wal_bytes FROM pg_stat_wal) AS bytes
"""
_REPORTED = 11.0
"""Seconds: a server process that has become idle reports its counters within ten."""
_PER_SECOND = 1_000
_EACH = 500

_Counters = Mapping[str, float]


async def measure(bench: Bench) -> Sequence[Result]:
    """The difference that a load makes, less what an idle installation does meanwhile; waits 33 s for the counters."""
    async with installed(bench) as weir:
        workflow = await weir.publish("counted", chain(STEPS))
        await _load(weir, workflow, _EACH)
        bench.say("statements: counting what happens anyway")
        first = await _counted(weir)
        idle, began = await _counted(weir), perf_counter()
        count = _EACH * max(1, round(bench.seconds * _PER_SECOND / _EACH))
        bench.say(f"statements: {count:,} executions")
        await _load(weir, workflow, count)
        after = await _counted(weir)
        share = (perf_counter() - began) / _REPORTED
    each = {name: (after[name] - idle[name] - share * (idle[name] - first[name])) / count for name in after}
    return [
        Result(name="transactions", value=each["transactions"], unit="each", versus="one a step", reference=STEPS),
        Result(name="flushes", value=each["flushes"], unit="each", versus="one a step", reference=STEPS),
        Result(name="rows inserted", value=each["inserted"], unit="each", versus="rows of its log", reference=LOG_ROWS),
        Result(name="rows updated", value=each["updated"], unit="each"),
        Result(name="rows deleted", value=each["deleted"], unit="each"),
        Result(name="write-ahead log", value=each["bytes"] / 1000, unit="kB each"),
    ]


async def _load(weir: Installation, workflow: WorkflowId, count: int) -> None:
    """All at once, and looking for their end so seldom that it hardly counts."""
    executions: list[ExecutionId] = []
    for first in range(0, count, _EACH):
        executions += await weir.start_many(workflow, [{"n": n} for n in range(first, first + _EACH)])
    await weir.over(executions, every=0.5)


async def _counted(weir: Installation) -> _Counters:
    """The server's counters, once every process has reported its own."""
    await asyncio.sleep(_REPORTED)
    row = await weir.pool.fetchrow(_COUNTERS)
    assert row is not None
    return {name: float(cast("int", value or 0)) for name, value in row.items()}
