"""A service behind circuit breakers, and workers that call it: changes when a call is guarded in another way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from app.stack import Stack
from jobs.breakers import Breaker, BreakerLimits, CircuitOpen

LIMITS = BreakerLimits(failures=3, window=60, open_for=30, lease=30)
QUICK = BreakerLimits(failures=3, window=60, open_for=0.05, lease=30)
KEY = "api.example.com:443"


class Clock:
    """The local clock of a worker: goes on when it is told to. Redis has its own."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def goes_on(self, seconds: float = 1.0) -> None:
        self.now += seconds


class ServiceDown(Exception):
    pass


def connected(stack: Stack) -> Any:
    """A client of its own; redis-py leaves many types open."""
    return cast("Any", Redis).from_url(stack.redis_url)


async def fail(breaker: Breaker, times: int = 1, key: str = KEY) -> None:
    for _ in range(times):
        with pytest.raises(ServiceDown):
            async with breaker.guard(key):
                raise ServiceDown


async def succeed(breaker: Breaker, key: str = KEY) -> None:
    async with breaker.guard(key):
        pass


async def refusal(breaker: Breaker, key: str = KEY) -> CircuitOpen:
    with pytest.raises(CircuitOpen) as refused:
        async with breaker.guard(key):
            pytest.fail("the call was let through")
    return refused.value


@asynccontextmanager
async def as_soon_as_admitted(breaker: Breaker, clock: Clock) -> AsyncGenerator[None]:
    """In a call that is let through, having waited as long as the refusals said."""
    async with AsyncExitStack() as call:
        async with asyncio.timeout(10):
            while True:
                try:
                    await call.enter_async_context(breaker.guard(KEY))
                except CircuitOpen as refused:
                    clock.goes_on(refused.retry_after)
                    await asyncio.sleep(refused.retry_after)
                else:
                    break
        yield
