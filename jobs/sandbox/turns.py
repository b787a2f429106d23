"""Whose turn it is: a bounded number of slots, given to waiting tenants round robin."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turns:
    """Within a tenant first come, first served; a tenant with a thousand waiting delays another by one call.

    No tenant holds more than `each` slots at once, so that one whose calls last long leaves some to the others.
    """

    def __init__(self, slots: int, each: int | None = None) -> None:
        self._free = slots
        self._each = each or slots
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncGenerator[None]:
        """Holds a slot inside the `async with`."""
        await self.acquire(tenant)
        try:
            yield
        finally:
            self.release(tenant)

    async def acquire(self, tenant: str) -> None:
        """Takes a slot, which `release` gives back."""
        if self._free and self._held[tenant] < self._each:
            self._take(tenant)
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release(tenant)  # the slot came together with the cancellation
            raise

    def _take(self, tenant: str) -> None:
        self._free -= 1
        self._held[tenant] += 1

    def release(self, tenant: str) -> None:
        self._free += 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
        while self._free and (granted := self._next()):
            granted.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        """The call whose turn it is, its slot taken; its tenant goes behind the others."""
        for tenant, queue in list(self._waiting.items()):
            if self._held[tenant] >= self._each:
                continue
            while queue:
                granted = queue.popleft()
                if not granted.done():
                    self._waiting.move_to_end(tenant)
                    self._take(tenant)
                    return granted
            del self._waiting[tenant]
        return None
