"""Steps that may run now: two lines per tenant, the tenants taken in turn.

However many steps one tenant has ready, another's next step waits for at most one of each tenant's. Of a tenant's own,
those that come ahead go first: what has begun is brought to its end before more is begun, so that a crowd of
executions ends one by one and not all together at last.
"""

from collections import deque
from typing import Generic, TypeVar

from domain.ids import TenantId

T = TypeVar("T")


class ReadyQueues(Generic[T]):
    def __init__(self) -> None:
        self._queues: dict[TenantId, tuple[deque[T], deque[T]]] = {}
        self._turn: deque[TenantId] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, tenant: TenantId, item: T, *, ahead: bool = False) -> None:
        lines = self._queues.get(tenant)
        if lines is None:
            lines = self._queues[tenant] = (deque(), deque())
            self._turn.append(tenant)
        lines[0 if ahead else 1].append(item)
        self._size += 1

    def pop(self) -> T:
        """The next tenant's oldest item, those ahead first. Raises IndexError when nothing is ready."""
        tenant = self._turn.popleft()
        ahead, behind = self._queues[tenant]
        item = ahead.popleft() if ahead else behind.popleft()
        self._size -= 1
        if ahead or behind:
            self._turn.append(tenant)
        else:
            del self._queues[tenant]
        return item
