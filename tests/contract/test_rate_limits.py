"""Rates counted in a real Redis: who is counted with whom, when there is room again, and what happens without Redis."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator

import pytest
import uuid_utils.compat as uuid

from app.stack import Stack
from domain.rates import Allowance, Rate, Request
from jobs.rate_limits import SlidingRateLimiter
from tests.contract.redis_server import own_redis

TENANT = Allowance(rate=Rate.TENANT, maximum=3, window=60)
KEY = Allowance(rate=Rate.KEY, maximum=2, window=60)


@pytest.fixture
async def limiter(stack: Stack) -> AsyncGenerator[SlidingRateLimiter]:
    limiter = SlidingRateLimiter(stack.redis_url)
    yield limiter
    await limiter.close()


def anybody() -> str:
    return uuid.uuid7().hex


async def allows(limiter: SlidingRateLimiter, *requests: Request) -> bool:
    return (await limiter.take(requests)).refused is None


async def test_what_is_left_is_told_until_nothing_is(limiter: SlidingRateLimiter) -> None:
    request = Request(allowance=TENANT, subject=anybody())

    taken = [await limiter.take([request]) for _ in range(4)]

    assert [(each.standings[0].remaining, each.refused is None) for each in taken] == [
        (2, True),
        (1, True),
        (0, True),
        (0, False),
    ]
    assert all(0 < each.standings[0].reset <= 60 for each in taken)


async def test_subjects_and_rates_are_counted_apart(limiter: SlidingRateLimiter) -> None:
    one, other = anybody(), anybody()

    assert [await allows(limiter, Request(allowance=KEY, subject=one)) for _ in range(3)] == [True, True, False]
    assert await allows(limiter, Request(allowance=KEY, subject=other))
    assert await allows(limiter, Request(allowance=TENANT, subject=one))


async def test_what_a_narrow_rate_refuses_takes_nothing_of_a_wider_one(limiter: SlidingRateLimiter) -> None:
    greedy, modest, tenant = anybody(), anybody(), anybody()

    for _ in range(20):
        await limiter.take([Request(allowance=KEY, subject=greedy), Request(allowance=TENANT, subject=tenant)])

    assert await allows(limiter, Request(allowance=KEY, subject=modest), Request(allowance=TENANT, subject=tenant))


async def test_an_amount_is_taken_whole_or_not_at_all(limiter: SlidingRateLimiter) -> None:
    cost, tenant = Allowance(rate=Rate.COST, maximum=100, window=60), anybody()

    assert await allows(limiter, Request(allowance=cost, subject=tenant, amount=60))
    assert not await allows(limiter, Request(allowance=cost, subject=tenant, amount=41))
    assert await allows(limiter, Request(allowance=cost, subject=tenant, amount=40))


async def test_two_processes_share_what_there_is_however_many_ask_at_once(
    stack: Stack, limiter: SlidingRateLimiter
) -> None:
    second, request = SlidingRateLimiter(stack.redis_url), Request(allowance=TENANT, subject=anybody())

    allowed = await asyncio.gather(*(allows(each, request) for each in (limiter, second) for _ in range(20)))
    await second.close()

    assert sum(allowed) == 3


async def test_the_window_moves_on(limiter: SlidingRateLimiter) -> None:
    brief, somebody = Allowance(rate=Rate.KEY, maximum=2, window=1), anybody()
    request = Request(allowance=brief, subject=somebody)
    assert [await allows(limiter, request) for _ in range(3)] == [True, True, False]

    refused = (await limiter.take([request])).refused
    assert refused is not None
    began = time.monotonic()
    async with asyncio.timeout(3):
        while True:
            if await allows(limiter, request):
                break
            await asyncio.sleep(0.02)

    assert refused.reset - 0.05 <= time.monotonic() - began < 1.2


async def test_without_redis_the_limits_hold_in_each_process_and_that_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    request = Request(allowance=TENANT, subject=anybody())
    async with own_redis() as redis:
        limiter = SlidingRateLimiter(redis.url, clock=lambda: now[0])
        with caplog.at_level(logging.INFO, logger="weir.rates"):
            assert await allows(limiter, request)
            assert limiter.shared

            await redis.kill()
            assert [await allows(limiter, request) for _ in range(5)] == [True, True, True, False, False]
            assert not limiter.shared
            now[0] += 1.0
            assert not await allows(limiter, request)
            with pytest.raises(ConnectionError, match="limits rates by itself"):
                await limiter.check()
            (line,) = caplog.messages
            assert line.startswith("Redis is away, so each process limits rates by itself from now on: ")

            await redis.start()
            await limiter.check()
            assert limiter.shared
            assert [await allows(limiter, request) for _ in range(4)] == [True, True, True, False]
            assert caplog.messages[1:] == ["Redis is back: all processes limit rates together again"]
        await limiter.close()


async def test_a_redis_that_never_answers_holds_no_request_up_twice() -> None:
    async with own_redis() as redis:
        limiter = SlidingRateLimiter(redis.url)
        request = Request(allowance=TENANT, subject=anybody())
        redis.stop()

        async with asyncio.timeout(1.9):
            allowed = [await allows(limiter, request) for _ in range(20)]

        await limiter.close()
    assert allowed == [True] * 3 + [False] * 17
