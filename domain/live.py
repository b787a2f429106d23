"""What goes to those who watch: live messages from the bus, frames to the watcher."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.engine.events import Event
from domain.engine.ports import ExecutionStatus
from domain.ids import ExecutionId, TaskId, TenantId, WorkflowId


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Durable events of the followed execution, contiguous and in order; may overlap with what was read before."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A step began or stirred: never stored, never replayed. `status` is a step status."""

    path: str
    node: str
    attempt: int
    status: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An execution of the tenant changed its status (or began)."""

    execution_id: ExecutionId
    workflow_id: WorkflowId
    status: ExecutionStatus
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChanged:
    """Tasks of the tenant were opened, worked on or are over."""

    ids: Sequence[TaskId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Something may be missing (overflow, lost connection): read the log again from your own cursor."""


LiveMessage = Events | Activity | Changed | TaskChanged | Lost


class Changes(Protocol):
    def announce(self, tenant_id: TenantId, changes: Sequence[Changed]) -> None:
        """Tell those who watch the tenant's list; may be lost."""
        ...


class Follower(Protocol):
    async def next(self) -> LiveMessage:
        """The next message, waiting for it; a follower that fell behind gets Lost instead of what was dropped."""
        ...


class LiveFeed(Protocol):
    def follow(self, tenant_id: TenantId, execution_id: ExecutionId) -> AbstractAsyncContextManager[Follower]:
        """Events and Activity of one execution. Entering awaits the subscription's acknowledgement."""
        ...

    def follow_tenant(self, tenant_id: TenantId) -> AbstractAsyncContextManager[Follower]:
        """Changed messages of all the tenant's executions, TaskChanged ones of its tasks."""
        ...
