"""Finds what was forgotten: executions of dead workers, due wake-ups, starts whose doorbell was lost."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from domain.engine.ports import Sweeping, Swept
from domain.ids import ExecutionId, TenantId
from domain.inbox import Doorbell

log = logging.getLogger("weir.sweeper")

_EVERY = 1.0


class Sweeper:
    """Runs in every worker and scheduler; several at once share the work without locks of their own.

    `ring` is this process's own executor, woken without the way over Redis.
    """

    def __init__(
        self, sweeping: Sweeping, doorbell: Doorbell, ring: Callable[[Iterable[ExecutionId]], None] | None = None
    ) -> None:
        self._sweeping = sweeping
        self._doorbell = doorbell
        self._ring = ring

    async def run(self) -> None:
        while True:
            try:
                await self.once()
            except (OSError, TimeoutError) as error:
                log.warning("sweeping failed, trying again: %s", error)
            await asyncio.sleep(_EVERY)

    async def once(self) -> Swept:
        swept = await self._sweeping.sweep()
        found: dict[TenantId, list[ExecutionId]] = defaultdict(list)
        for tenant, execution in (*swept.orphans, *swept.due, *swept.forgotten):
            found[tenant].append(execution)
        if swept.orphans:
            log.warning("%d executions of dead workers go on elsewhere", len(swept.orphans))
        if found and self._ring is not None:
            self._ring([execution for ids in found.values() for execution in ids])
        for tenant, ids in found.items():
            await self._doorbell.ring(tenant, ids)
        return swept
