"""Workers, the API and Redis are killed again and again while loops, children, compensations and people are at work."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from random import Random

import pytest

from app.stack import Stack
from db.connections import EnginePool
from domain.formats import Format, dumps
from domain.graphs import Document
from tests.acceptance.cluster import Workers
from tests.acceptance.receiver import Receiver
from tests.acceptance.served import Front
from tests.acceptance.storm import WORKERS, Storm
from tests.acceptance.storm_flows import definitions
from tests.acceptance.storm_verdict import assert_weathered
from tests.acceptance.trial import Ground

pytestmark = pytest.mark.acceptance
Record = Callable[[str, object], None]
SEED = int(os.environ.get("STORM_SEED", "20261121"))
"""Draws what dies when; STORM_SEED is another."""
SECONDS = 20.0


@pytest.fixture
async def storm(
    servers: Stack, pool: EnginePool, ground: Ground, workers: Workers, receiver: Receiver
) -> AsyncGenerator[Storm]:
    receiver.delay = 0.3
    front = Front(data_dir=servers.data_dir)
    await front.start()
    tenant_id = await pool.fetchval("SELECT id FROM tenant WHERE slug = 'default'")
    published = {
        name: await front.api.published(dumps(Document(name=name, definition=definition), Format.YAML))
        for name, definition in definitions(receiver.address)
    }
    storm = Storm(
        random=Random(SEED),  # noqa: S311 - guards nothing
        stack=servers,
        workers=workers,
        front=front,
        tenant_id=tenant_id,
        doorbell=ground.doorbell,
        workflows=published,
    )
    await asyncio.gather(*(storm.hire() for _ in range(WORKERS)))
    yield storm
    await front.end()


async def test_whatever_dies_every_execution_ends_as_it_must_and_nothing_is_done_twice(
    storm: Storm, pool: EnginePool, receiver: Receiver, record_property: Record
) -> None:
    sys.stderr.write(f"STORM_SEED={SEED}\n")
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(storm.answer())
        beginning = group.create_task(storm.begin_waves(12, SECONDS / 14))
        await storm.blow(SECONDS)
        await beginning
        ids, seconds = await storm.over(60)
        answering.cancel()

    passed = await assert_weathered(pool, ids, storm.begun, receiver, most=1 + len(storm.dead))
    assert [worker.complaints() for worker in (*storm.alive, *storm.dead)] == [[]] * (WORKERS + len(storm.dead))
    repeated = [key for each in passed for key in each.keys if len(receiver.arrivals[key]) > 1]
    record_property("executions", len(passed))
    record_property("killed workers", len(storm.dead))
    record_property("calls made again", len(repeated))
    record_property("all over after", f"{seconds:.1f} s of calm")
