"""Steps that may run now: one queue per tenant, the tenants taken in turn.

However many steps one tenant has ready, another's next step waits for at most one of each tenant's.
"""

from collections import deque
from typing import Generic, TypeVar

from domain.ids import TenantId

T = TypeVar("T")


class ReadyQueues(Generic[T]):
    def __init__(self) -> None:
        self._queues: dict[TenantId, deque[T]] = {}
        self._turn: deque[TenantId] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, tenant: TenantId, item: T) -> None:
        queue = self._queues.get(tenant)
        if queue is None:
            queue = self._queues[tenant] = deque()
            self._turn.append(tenant)
        queue.append(item)
        self._size += 1

    def pop(self) -> T:
        """The next tenant's oldest item. Raises IndexError when nothing is ready."""
        tenant = self._turn.popleft()
        queue = self._queues[tenant]
        item = queue.popleft()
        self._size -= 1
        if queue:
            self._turn.append(tenant)
        else:
            del self._queues[tenant]
        return item
