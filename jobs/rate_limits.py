"""Changes when rates are counted in another way: together in Redis, or by each process while that is away."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from domain.rates import Allowance, Request, Standing, Taken

log = logging.getLogger("weir.rates")

PREFIX: Final = "weir:rate"
_CONNECTIONS = 32
_PATIENCE = 1.0
"""Seconds that Redis has for an answer."""
_RETRY = 1.0
"""Seconds for which a Redis that did not answer is left alone: no request waits for it meanwhile."""


class SlidingRateLimiter:
    """Implements `domain.rates.RateLimiter`: two counters for each subject and rate, weighted as the window moves on.

    Redis has them for all processes. While it is away each process counts for itself, with the same limits.
    `clock`: seconds, for how long a Redis that did not answer is left alone.
    """

    def __init__(self, redis_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        # redis-py's annotations are partial. `limits` takes the pool in place of the URL, which it would misread.
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
            redis_url,
            max_connections=_CONNECTIONS,
            timeout=_PATIENCE,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
        )
        options: dict[str, BlockingConnectionPool] = {"connection_pool": self._pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, **options)  # pyright: ignore[reportArgumentType]
        self._together = SlidingWindowCounterRateLimiter(storage)
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._clock = clock
        self._shared = True
        self._again_at = 0.0

    @property
    def shared(self) -> bool:
        return self._shared

    async def close(self) -> None:
        await self._pool.disconnect()

    async def check(self) -> None:
        """Look whether Redis answers; raises ConnectionError while it does not, and each process is on its own."""
        try:
            await Redis(connection_pool=self._pool).ping()  # pyright: ignore[reportUnknownMemberType]
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(error)
            raise ConnectionError("Redis is away, so this process limits rates by itself") from error
        self._found()

    async def take(self, requests: Sequence[Request]) -> Taken:
        if self._clock() >= self._again_at:
            try:
                taken = await _take(self._together, requests)
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(error)
            else:
                self._found()
                return taken
        return await _take(self._alone, requests)

    def _lost(self, error: Exception) -> None:
        self._again_at = self._clock() + _RETRY
        if self._shared:
            self._shared = False
            log.warning("Redis is away, so each process limits rates by itself from now on: %s", error)

    def _found(self) -> None:
        if not self._shared:
            self._shared, self._again_at = True, 0.0
            log.info("Redis is back: all processes limit rates together again")


async def _take(limiter: SlidingWindowCounterRateLimiter, requests: Sequence[Request]) -> Taken:
    standings: list[Standing] = []
    for request in requests:
        allowance = request.allowance
        item, subject = _item(allowance), (allowance.rate.value, request.subject)
        allowed = await limiter.hit(item, *subject, cost=request.amount)
        window = await limiter.get_window_stats(item, *subject)
        # In the millisecond in which a window begins, `limits` tells its end as its beginning.
        left = window.reset_time - time.time()
        reset = left if 0 < left <= allowance.window else float(allowance.window)
        standings.append(Standing(allowance=allowance, remaining=window.remaining, reset=reset))
        if not allowed:
            return Taken(standings=standings, refused=standings[-1])
    return Taken(standings=standings)


def _item(allowance: Allowance) -> RateLimitItem:
    return RateLimitItemPerSecond(allowance.maximum, allowance.window)
