"""Whose turn it is: a bounded number of slots, given to waiting tenants round robin."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turns:
    """Within a tenant first come, first served; a tenant with a thousand waiting delays another by one call."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncGenerator[None]:
        """Holds a slot inside the `async with`."""
        await self._acquire(tenant)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, tenant: str) -> None:
        if self._free:
            self._free -= 1
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._release()  # the slot came together with the cancellation
            raise

    def _release(self) -> None:
        while self._waiting:
            tenant, queue = self._waiting.popitem(last=False)
            granted = queue.popleft()
            if queue:
                self._waiting[tenant] = queue  # behind the others
            if not granted.done():
                granted.set_result(None)
                return
        self._free += 1
