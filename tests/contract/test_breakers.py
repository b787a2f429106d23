"""Circuit breakers on a real Redis: workers share what they know, and one call probes for all of them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
import uuid_utils.compat as uuid

from app.stack import Stack
from domain.engine.outcomes import Failed
from domain.ids import TenantId
from jobs.breakers import Breaker, BreakerLimits, Breakers
from tests.contract.circuits import (
    KEY,
    LIMITS,
    QUICK,
    Clock,
    ServiceDown,
    as_soon_as_admitted,
    connected,
    fail,
    refusal,
    succeed,
)


@pytest.fixture
async def redis(stack: Stack) -> AsyncGenerator[Any]:
    client = connected(stack)
    yield client
    await client.aclose()


@pytest.fixture
def tenant() -> TenantId:
    return TenantId(uuid.uuid7())


Workers = Callable[[BreakerLimits], tuple[Breaker, Clock]]


@pytest.fixture
async def worker(stack: Stack, tenant: TenantId) -> AsyncGenerator[Workers]:
    """Each call is another worker: a connection, a memory and a clock of its own."""
    async with AsyncExitStack() as clients:

        def new(limits: BreakerLimits) -> tuple[Breaker, Clock]:
            client = connected(stack)
            clients.push_async_callback(client.aclose)
            clock = Clock()
            return Breakers(client, limits, clock=clock).of(tenant), clock

        yield new


async def test_so_many_failures_in_a_row_open_the_circuit_for_every_worker(worker: Workers) -> None:
    (first, clock), (second, _), (third, _) = (worker(LIMITS) for _ in range(3))

    await fail(first, 2)
    await fail(second)

    clock.goes_on(1.0)
    for each in (first, second, third):
        refused = await refusal(each)
        assert (refused.key, 29 < refused.retry_after <= 30) == (KEY, True)


async def test_a_refusal_says_to_the_workflow_when_to_come_back(worker: Workers) -> None:
    breaker, _ = worker(LIMITS)
    await fail(breaker, 3)

    outcome = (await refusal(breaker)).outcome()

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CIRCUIT_OPEN", True)
    assert outcome.message == f"{KEY} failed so often that nothing is sent to it for {outcome.retry_after:.1f} s"


async def test_a_success_forgets_the_failures_before_it(worker: Workers) -> None:
    (first, _), (second, _) = worker(LIMITS), worker(LIMITS)

    for _ in range(3):
        await fail(first, 2)
        await succeed(first)
    await fail(first, 2)
    await succeed(second)
    await fail(second, 2)

    await succeed(first)


async def test_a_worker_that_heard_that_it_was_closed_asks_again_after_a_second(worker: Workers) -> None:
    (first, _), (second, clock) = worker(LIMITS), worker(LIMITS)
    await succeed(second)
    await fail(first, 3)

    await succeed(second)
    clock.goes_on(1.0)

    await refusal(second)


async def test_tenants_and_keys_have_circuits_of_their_own(worker: Workers, redis: Any) -> None:
    breaker, _ = worker(LIMITS)
    stranger = Breakers(redis, LIMITS).of(TenantId(uuid.uuid7()))
    await fail(breaker, 3)

    await succeed(breaker, "api.example.com:8443")
    await succeed(stranger)

    await refusal(breaker)


async def test_when_the_time_is_over_one_call_of_all_workers_is_the_probe_and_its_success_closes(
    worker: Workers,
) -> None:
    workers = [worker(QUICK) for _ in range(3)]
    (first, clock), *others = workers
    await fail(first, 3)

    async with as_soon_as_admitted(first, clock):
        refusals = await asyncio.gather(*(refusal(each) for each, _ in workers for _ in range(5)))
        assert all(0 < refused.retry_after <= 1 for refused in refusals)

    await succeed(first)
    for each, its_clock in others:
        its_clock.goes_on(1.0)
        await succeed(each)
        await fail(each, 2)
        await succeed(each)


async def test_a_probe_that_fails_opens_the_circuit_again(worker: Workers) -> None:
    limits = replace(QUICK, open_for=0.5)
    (first, clock), (second, _) = worker(limits), worker(limits)
    await fail(first, 3)

    with pytest.raises(ServiceDown):
        async with as_soon_as_admitted(first, clock):
            raise ServiceDown

    for each in (first, second):
        assert (await refusal(each)).retry_after <= 0.5


async def test_a_probe_whose_worker_died_is_followed_by_another_one(worker: Workers) -> None:
    limits = replace(QUICK, lease=0.5)
    (dead, its_clock), (alive, clock) = worker(limits), worker(limits)
    await fail(dead, 3)
    doomed = as_soon_as_admitted(dead, its_clock)
    await doomed.__aenter__()  # and never a word again

    assert (await refusal(alive)).retry_after <= 0.5
    async with as_soon_as_admitted(alive, clock):
        pass

    await succeed(alive)
    await doomed.__aexit__(ServiceDown, ServiceDown(), None)  # speaks after all: one failure of a closed circuit
    await succeed(alive)


async def test_a_probe_that_lost_its_lease_decides_nothing_over_the_next_one(worker: Workers) -> None:
    limits = replace(QUICK, lease=0.5)
    (slow, its_clock), (next_one, clock) = worker(limits), worker(limits)
    await fail(slow, 3)
    late = as_soon_as_admitted(slow, its_clock)
    await late.__aenter__()

    async with as_soon_as_admitted(next_one, clock):
        await late.__aexit__(None, None, None)
        clock.goes_on(1.0)
        await refusal(next_one)


async def test_what_was_under_way_when_the_circuit_opened_neither_closes_it_nor_keeps_it_open(
    worker: Workers, redis: Any, tenant: TenantId
) -> None:
    (first, clock), (second, its_clock) = worker(LIMITS), worker(LIMITS)

    async with first.guard(KEY), first.guard(KEY) as another:
        another.failed()
        await fail(second, 3)
        opened = await state(redis, tenant)
    assert await state(redis, tenant) == opened

    await redis.delete(*await stored(redis, tenant))
    clock.goes_on(1.0)
    its_clock.goes_on(1.0)
    async with first.guard(KEY):
        await fail(first)
        await fail(second, 2)
        opened = await state(redis, tenant)
    assert await state(redis, tenant) == opened

    clock.goes_on(1.0)
    await refusal(first)


async def stored(redis: Any, tenant: TenantId) -> list[bytes]:
    return [name async for name in redis.scan_iter(f"weir:breaker:{tenant.hex}:*")]


async def state(redis: Any, tenant: TenantId) -> object:
    """What Redis holds of the tenant's one circuit."""
    names = await stored(redis, tenant)
    return await redis.hgetall(names[0]) if names else None


async def forgotten(redis: Any, tenant: TenantId) -> None:
    """Return once Redis holds nothing of it; it forgets by its own clock and tells nobody."""
    async with asyncio.timeout(10):
        while True:
            if await state(redis, tenant) is None:
                return
            await asyncio.sleep(0.01)


async def test_a_call_that_is_cancelled_says_nothing(worker: Workers) -> None:
    breaker, _ = worker(LIMITS)

    for _ in range(4):
        await _cancelled(breaker, None, 0.0)

    await succeed(breaker)


async def test_a_call_that_is_cancelled_because_its_time_is_up_has_failed(worker: Workers) -> None:
    breaker, clock = worker(LIMITS)

    for _ in range(3):
        await _cancelled(breaker, clock, 10.0)

    await refusal(breaker)


async def test_a_cancelled_probe_gives_way_to_the_next_call_at_once(worker: Workers) -> None:
    (first, clock), (second, _) = worker(QUICK), worker(QUICK)
    await fail(first, 3)

    with pytest.raises(asyncio.CancelledError):
        async with as_soon_as_admitted(first, clock):
            raise asyncio.CancelledError

    await succeed(second)
    await succeed(first)


async def _cancelled(breaker: Breaker, clock: Clock | None, used: float) -> None:
    """A call with ten seconds, cancelled when it has `used` so many."""
    entered = asyncio.Event()

    async def call() -> None:
        async with breaker.guard(KEY, timeout=10.0):
            if clock is not None:
                clock.goes_on(used)
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_node_may_say_itself_how_its_call_went(worker: Workers) -> None:
    breaker, _ = worker(LIMITS)

    for _ in range(4):
        async with breaker.guard(KEY) as call:
            call.ignored()
    await fail(breaker, 2)
    async with breaker.guard(KEY) as call:
        call.ignored()
    async with breaker.guard(KEY) as call:
        call.failed()

    await refusal(breaker)


async def test_failures_that_are_further_apart_than_the_window_do_not_count_together(
    worker: Workers, redis: Any, tenant: TenantId
) -> None:
    breaker, _ = worker(BreakerLimits(failures=3, window=0.05, open_for=30, lease=30))
    await fail(breaker, 2)

    await forgotten(redis, tenant)

    await fail(breaker, 2)
    await succeed(breaker)


async def test_with_no_failures_set_it_never_opens(worker: Workers) -> None:
    breaker, _ = worker(BreakerLimits(failures=0))

    await fail(breaker, 30)
    await succeed(breaker)
