"""Begins the executions of load runs: each time one is over, and when their rate allows the next."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from domain.engine.ports import Append, ExecutionStatus, InboxKind
from domain.ids import LoadRunId, TenantId
from domain.inbox import Doorbell, Inbox
from domain.live import Changed, Changes
from domain.load_runs_feed import CHUNK, Fed, LoadFeeding
from domain.sources import Clock, Ids

log = logging.getLogger("weir.load")

_EVERY = 0.5
"""Seconds after which new load runs are looked for, and what may have ended elsewhere."""


class LoadFeeder:
    """Runs in every worker; what one of them begins, all of them run. A killed one has left nothing half done."""

    def __init__(
        self, feeding: LoadFeeding, *, doorbell: Doorbell, inbox: Inbox, changes: Changes, clock: Clock, ids: Ids
    ) -> None:
        self._feeding = feeding
        self._doorbell = doorbell
        self._inbox = inbox
        self._changes = changes
        self._clock = clock
        self._ids = ids
        self._under_way: set[tuple[TenantId, LoadRunId]] = set()
        self._called = asyncio.Event()

    def committed(self, appends: Sequence[Append]) -> None:
        """For the journal's `on_committed`: where an execution is over, another one may begin."""
        if self._under_way and any(append.finished is not None for append in appends):
            self._called.set()

    async def run(self) -> None:
        looked = float("-inf")
        clock = asyncio.get_running_loop().time
        while True:
            soon: datetime | None = None
            try:
                if clock() - looked >= _EVERY:
                    looked = clock()
                    self._under_way = set(await self._feeding.under_way())
                soon = await self.once()
            except ConnectionError as error:
                log.warning("load runs cannot go on, trying again: %s", error)
                await asyncio.sleep(_EVERY)
            await self._until(soon)

    async def once(self) -> datetime | None:
        """Feed all that are known to be under way; gives the moment when a rate allows the next one."""
        moments: list[datetime] = []
        for tenant, run in sorted(self._under_way):
            while len((fed := await self._fed(tenant, run)).begun) == CHUNK:
                pass
            if fed.finished:
                self._under_way.discard((tenant, run))
            if fed.later is not None:
                moments.append(fed.later)
        return min(moments, default=None)

    async def _fed(self, tenant: TenantId, run: LoadRunId) -> Fed:
        fed = await self._feeding.feed(tenant, run, ids=self._ids, now=self._clock())
        if fed.begun:
            pending = ExecutionStatus.PENDING
            self._changes.announce(
                tenant,
                [
                    Changed(execution_id=new.id, workflow_id=new.workflow_id, status=pending, at=new.created_at)
                    for new in fed.begun
                ],
            )
            await self._doorbell.ring(tenant, [new.id for new in fed.begun])
        for execution in fed.cancelled:
            key = f"load-run:{run}"  # asked again, it is the same message
            payload = {"reason": "the load run was cancelled", "by": fed.cancelled_by, "key": key}
            await self._inbox.post(tenant, execution, InboxKind.CANCEL, key, payload)
        await self._doorbell.ring(tenant, fed.cancelled)
        return fed

    async def _until(self, soon: datetime | None) -> None:
        """Return when something has ended, at that moment, or when it is time to look again."""
        patience = _EVERY if soon is None else min(_EVERY, max(0.0, (soon - self._clock()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._called.wait()
        self._called.clear()
