"""Clients that stop reading, seen from outside the server: they cost it a bounded piece of memory, and lose nothing."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from app.stack import Stack
from db.connections import EnginePool
from tests.api.application import Caller, new_caller, new_tenant
from tests.contract.api_process import ApiProcess, api_process
from tests.contract.watching import Author, Watchers, author, watchers_of

EVENTS, SIZE, PORTION = 6_000, 16 * 1024, 500
FILLED = 4
"""Portions after which every queue and buffer is as full as it may be."""


@pytest.fixture(scope="module")
async def server(stack: Stack, database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ApiProcess]:
    async with api_process(database, stack.redis_url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
async def watchers(server: ApiProcess) -> AsyncGenerator[Watchers]:
    async with watchers_of(server.address) as opened:
        yield opened


@pytest.fixture
async def hand(stack: Stack, engine_pool: EnginePool) -> AsyncGenerator[Author]:
    async with author(engine_pool, stack.redis_url) as writing:
        yield writing


@pytest.fixture
async def caller(server: ApiProcess, engine_pool: EnginePool) -> AsyncGenerator[Caller]:
    async with httpx.AsyncClient(base_url=f"http://{server.address}") as http:
        yield await new_caller(engine_pool, http, await new_tenant(engine_pool))


async def test_clients_that_stop_reading_hold_up_nobody_cost_little_and_miss_nothing(
    server: ApiProcess, watchers: Watchers, hand: Author, caller: Caller
) -> None:
    execution = await hand.begin(caller.tenant.id)
    (quick,) = await watchers.caught_up(1, caller.key, execution.id)
    resumes, leaves = await watchers.caught_up(2, caller.key, execution.id, unread=1)
    memory: list[int] = []

    for _ in range(EVENTS // PORTION):
        await hand.write_each(execution, PORTION, {"output": "x" * SIZE})
        await quick.until_seq(execution.seq)
        memory.append(server.memory)
    await hand.finish(execution)
    await quick.to_the_end()

    everything = list(range(1, EVENTS + 3))
    assert quick.seqs == everything, "while two others read nothing"
    settled, later = memory[FILLED - 1], memory[FILLED:]
    assert max(later) - settled < len(later) * PORTION * SIZE / 3, f"the server grew: {memory}"
    # One goes on reading: what its queue could not hold comes from the log.
    assert (await resumes.to_the_end()).seqs == everything
    assert "StreamGap" in [frame["__typename"] for frame in resumes.frames]
    # The other reads a little, is cut off, and comes again with the last cursor that it has.
    await leaves.until_seq(100)
    leaves.socket.transport.abort()
    again = await watchers.open(caller.key, id=execution.id, after=leaves.cursor)
    assert leaves.seqs + (await again.to_the_end()).seqs == everything
