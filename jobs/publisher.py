"""Announces what is durable, and what stirs, to whoever watches: one Redis pipeline per batch, lost without harm."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.engine.events import EventKind
from domain.engine.ports import Append, ExecutionStatus
from domain.engine.state import StepStatus
from domain.ids import ExecutionId, TaskId, TenantId
from domain.live import Changed
from jobs.event_codec import (
    encode_activity,
    encode_change,
    encode_events,
    encode_tasks,
    execution_channel,
    tenant_channel,
)
from jobs.runs import Run

log = logging.getLogger("weir.live")

_MOST_WAITING = 20_000
"""Messages kept while Redis does not answer; beyond it they are dropped, for watchers re-read the log."""

_CHANGES = {
    EventKind.ADOPTED: ExecutionStatus.RUNNING,
    EventKind.PAUSED: ExecutionStatus.PAUSED,
    EventKind.RESUMED: ExecutionStatus.RUNNING,
    EventKind.EXECUTION_COMPLETED: ExecutionStatus.COMPLETED,
    EventKind.EXECUTION_FAILED: ExecutionStatus.FAILED,
    EventKind.EXECUTION_CANCELLED: ExecutionStatus.CANCELLED,
}


class Publisher:
    """Implements Announcer, `domain.live.Changes`, `domain.tasks.TaskAnnouncer`; is the journal's `on_committed`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[tuple[str, bytes]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._down = False

    def committed(self, appends: Sequence[Append]) -> None:
        """Announce durable events: one message per execution and batch, one per change of status."""
        together: dict[ExecutionId, list[Append]] = {}
        for append in appends:
            together.setdefault(append.execution_id, []).append(append)
        for execution, own in together.items():
            events = [event for append in own for event in append.events]
            self._put(execution_channel(own[0].tenant_id, execution), encode_events(events))
        for append in appends:
            last = append.events[-1]
            status = _CHANGES.get(last.kind)
            if status is not None and append.workflow_id is not None:
                change = encode_change(append.execution_id, append.workflow_id, status, last.at)
                self._put(tenant_channel(append.tenant_id), change)

    def announce(self, tenant_id: TenantId, changes: Sequence[Changed]) -> None:
        """Implements `domain.live.Changes`."""
        for change in changes:
            message = encode_change(change.execution_id, change.workflow_id, change.status, change.at)
            self._put(tenant_channel(tenant_id), message)

    def announce_tasks(self, tenant_id: TenantId, ids: Sequence[TaskId]) -> None:
        """Implements `domain.tasks.TaskAnnouncer`."""
        if ids:
            self._put(tenant_channel(tenant_id), encode_tasks(ids))

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        message = encode_activity(path, node, attempt, StepStatus.ACTIVE, at)
        self._put(execution_channel(run.tenant_id, run.execution_id), message)

    def _put(self, channel: str, message: bytes) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((channel, message))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush())

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            pipeline: Any = self._redis.pipeline(transaction=False)
            for channel, message in batch:
                pipeline.publish(channel, message)
            try:
                await pipeline.execute()
                self._down = False
            except (RedisError, OSError) as error:
                if not self._down:
                    log.warning("Redis does not answer; watchers read the log instead: %s", error)
                self._down = True
                await asyncio.sleep(0.2)

    async def close(self) -> None:
        if self._flushing is not None:
            await asyncio.wait([self._flushing], timeout=1.0)
            self._flushing.cancel()
