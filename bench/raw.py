"""The machine's raw limits: what disk, PostgreSQL, Redis and Python do here without Weir."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, cast

import asyncpg
import uuid_utils.compat as uuid
from redis.asyncio import Redis

from bench.results import Bench, Limit, Result

_WINDOWS = 5
_ROWS, _ROWS_EACH = 1_000, 10
_PUBLISHES = 500
_TASKS = 1_000
_LOOPS = 100_000
_PAYLOAD = '{"ms":0.123,"output":{"n":12345},"handles":["out"],"variables":{"n":12345}}'
_TABLES = """
DROP SCHEMA IF EXISTS weir_bench CASCADE;
CREATE SCHEMA weir_bench;
CREATE TABLE weir_bench.single (id uuid PRIMARY KEY, payload jsonb NOT NULL);
CREATE TABLE weir_bench.log (
    execution_id uuid, seq bigint, tenant_id uuid NOT NULL, epoch int NOT NULL, kind text NOT NULL, node text,
    path text, attempt int, payload jsonb NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (execution_id, seq)
);
"""
_SINGLE = "INSERT INTO weir_bench.single VALUES ($1, $2::text::jsonb)"
_LOG = """
INSERT INTO weir_bench.log
SELECT execution_id, seq, $3, 1, 'STEP_COMPLETED', 'step', 'step', 1, payload::jsonb, $5
FROM unnest($1::uuid[], $2::bigint[], $4::text[]) AS e (execution_id, seq, payload)
"""


async def measure(bench: Bench) -> Sequence[Result]:
    """One figure for every `Limit`; each takes its share of the seconds."""
    seconds = bench.seconds / len(Limit)
    found = {
        Limit.FLUSHES: await _flushes(seconds, bench.stack.data_dir),
        **await _postgres(seconds, bench.stack.database_url),
        Limit.PUBLISHES: await _publishes(seconds, bench.stack.redis_url),
        Limit.TASKS: await _rate(seconds, _tasks),
        Limit.LOOPS: await _rate(seconds, _loops),
    }
    return [Result(name=limit.value, value=value, unit="/s") for limit, value in found.items()]


def limits(results: Sequence[Result]) -> dict[Limit, float]:
    """What `measure` found, by limit."""
    return {Limit(result.name): result.value for result in results}


async def _rate(seconds: float, act: Callable[[], Awaitable[int]]) -> float:
    """How many per second, the median of five windows; `act` does some and says how many. The first does not count."""
    await act()
    rates: list[float] = []
    for _ in range(_WINDOWS):
        done, began = 0, perf_counter()
        while not done or perf_counter() - began < seconds / _WINDOWS:
            done += await act()
        rates.append(done / (perf_counter() - began))
    return median(rates)


async def _flushes(seconds: float, directory: Path) -> float:
    """What PostgreSQL does to its log at each commit, on the disk of the data directory."""
    page = os.urandom(8192)
    with tempfile.TemporaryFile(dir=directory) as file:

        async def flush() -> int:
            os.pwrite(file.fileno(), page, 0)
            os.fdatasync(file.fileno())
            return 1

        return await _rate(seconds, flush)


async def _postgres(seconds: float, dsn: str) -> dict[Limit, float]:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    try:
        await connection.execute(_TABLES)
        single, log = await connection.prepare(_SINGLE), await connection.prepare(_LOG)
        tenant, at = uuid.uuid7(), datetime.now(UTC)
        seqs, payloads = [*range(1, _ROWS_EACH + 1)] * (_ROWS // _ROWS_EACH), [_PAYLOAD] * _ROWS

        async def commit() -> int:
            await single.fetch(uuid.uuid7(), _PAYLOAD)
            return 1

        async def write() -> int:
            ids = [each for each in (uuid.uuid7() for _ in range(_ROWS // _ROWS_EACH)) for _ in range(_ROWS_EACH)]
            await log.fetch(ids, seqs, tenant, payloads, at)
            return _ROWS

        return {Limit.COMMITS: await _rate(seconds, commit), Limit.ROWS: await _rate(seconds, write)}
    finally:
        await connection.execute("DROP SCHEMA IF EXISTS weir_bench CASCADE")
        await connection.close()


async def _publishes(seconds: float, url: str) -> float:
    redis = cast("Any", Redis).from_url(url)

    async def publish() -> int:
        pipeline = redis.pipeline(transaction=False)
        for _ in range(_PUBLISHES):
            pipeline.publish("weir:bench", _PAYLOAD)
        await pipeline.execute()
        return _PUBLISHES

    try:
        return await _rate(seconds, publish)
    finally:
        await redis.aclose()


async def _tasks() -> int:
    for _ in range(_TASKS):
        await asyncio.create_task(_nothing())
    return _TASKS


async def _nothing() -> None:
    return


async def _loops() -> int:
    total = 0
    for number in range(_LOOPS):
        total += number & 7
    return _LOOPS
