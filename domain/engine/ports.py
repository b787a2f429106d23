"""What the executor needs of storage, as small ports; `db` implements them.

Ownership: an execution is written by one worker at a time. Claiming raises its `epoch`; the log's primary key
(execution, seq) is the fence: whoever comes second at a seq is refused and has lost the execution.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from domain.engine.events import Event
from domain.graphs import Definition
from domain.ids import ExecutionId, TenantId, VersionId, WorkerId, WorkflowId
from domain.json import JSON, JSONObject
from domain.starts import NewExecution


class LostOwnership(Exception):
    """Another worker has written to this execution: drop it, append nothing more."""


class JournalRefused(Exception):
    """The database cannot store this execution's events as they are (not a matter of connection or ownership)."""


class ExecutionStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return self in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


class InboxKind(StrEnum):
    """Wishes and news from outside, consumed by the owner in the transaction that appends their events."""

    SIGNAL = "signal"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    VARIABLE = "variable"
    CHILD = "child"
    MIGRATE = "migrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """`id` orders messages of one execution; `key` makes a repeated one the same."""

    id: int
    execution_id: ExecutionId
    kind: InboxKind
    key: str
    payload: JSONObject


class Finished(Struct, frozen=True, kw_only=True):
    """The execution row's last change, in the transaction of the terminal event."""

    status: ExecutionStatus
    output: JSON
    error: JSONObject | None
    at: datetime


class Post(Struct, frozen=True, kw_only=True):
    """A message to another execution of the tenant, committed with the events that give rise to it."""

    execution_id: ExecutionId
    kind: InboxKind
    key: str
    payload: JSONObject


class Append(Struct, frozen=True, kw_only=True):
    """Events of one execution, contiguous in seq, written all or not at all.

    `consumed`: inbox ids deleted with them. `status`: the row's new status while it lives (PAUSED, RUNNING), None
    for no change. `finished` closes the row, clears its owner and deletes its wake-ups, snapshot and inbox.
    `children` begin, and `posts` are delivered, in the same transaction. `settled`: the paths of steps that are over
    and may have left a task in an inbox; `releases`: of those that may have a lock, None for all of the execution's.
    `version_id`: the version it goes on with; its snapshot, made with another one, is dropped.
    """

    execution_id: ExecutionId
    tenant_id: TenantId
    workflow_id: WorkflowId | None = None
    epoch: int
    events: Sequence[Event]
    consumed: Sequence[int] = ()
    status: ExecutionStatus | None = None
    finished: Finished | None = None
    children: Sequence[NewExecution] = ()
    posts: Sequence[Post] = ()
    settled: Sequence[str] = ()
    releases: Sequence[str | None] = ()
    version_id: VersionId | None = None

    @property
    def related(self) -> bool:
        """Whether it writes more than its own execution's rows."""
        return bool(self.children or self.posts or self.settled or self.releases or self.version_id)


class Journal(Protocol):
    """The one writer of a process: group commit over all its executions."""

    def submit(self, append: Append) -> asyncio.Future[None]:
        """Queue it behind this execution's earlier appends; resolves when durable, fails with LostOwnership."""
        ...

    def forget(self, execution_id: ExecutionId) -> None:
        """The execution is no longer this process's: clear its refusal mark."""
        ...


class Claimed(Struct, frozen=True, kw_only=True):
    """An execution that is now this worker's, and all that continuing it needs.

    `snapshot` is a folded state at `snapshot_seq` (or None, 0); `events` are those after it, in order.
    """

    execution_id: ExecutionId
    tenant_id: TenantId
    workflow_id: WorkflowId
    version_id: VersionId
    epoch: int
    priority: int
    snapshot: JSON
    snapshot_seq: int
    events: Sequence[Event]
    inbox: Sequence[InboxMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeUp:
    path: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Letting go of an execution that waits: refused (False) when its inbox is not empty.

    `status` is WAITING, PAUSED, or PENDING to hand it over at once to any worker.
    """

    execution_id: ExecutionId
    epoch: int
    status: ExecutionStatus
    wake_ups: Sequence[WakeUp] = ()
    snapshot: JSON = None
    snapshot_seq: int = 0


class Ownership(Protocol):
    async def claim(
        self, worker: WorkerId, capacity: int, *, only: Sequence[ExecutionId] | None = None
    ) -> Sequence[Claimed]:
        """Take up to `capacity` executions that have something to do, tenants in turn, higher priority first.

        `only` restricts the choice (a local run claims nothing but its own executions).
        """
        ...

    async def release(self, releases: Sequence[Release]) -> Sequence[ExecutionId]:
        """Let go; gives back those that were NOT released because their inbox holds something (keep them)."""
        ...

    async def owned(self, worker: WorkerId) -> Mapping[ExecutionId, int]:
        """The epochs of everything this worker owns."""
        ...

    async def inbox(self, worker: WorkerId) -> Sequence[InboxMessage]:
        """Every message for executions this worker owns, oldest first: few rows, read when announced and slowly."""
        ...

    async def save_snapshot(self, execution_id: ExecutionId, seq: int, state: JSON) -> None: ...

    async def drop_snapshot(self, execution_id: ExecutionId) -> None: ...


class Logs(Protocol):
    async def whole(self, execution_id: ExecutionId) -> Sequence[Event]:
        """All events of an execution in order, whatever its tenant: for its owner."""
        ...


class Liveness(Protocol):
    async def register(self, worker: WorkerId, started_at: datetime) -> None: ...

    async def retire(self, worker: WorkerId) -> None:
        """Remove the worker's row; what it still owned becomes claimable at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep made claimable: (tenant, execution) pairs by reason."""

    orphans: Sequence[tuple[TenantId, ExecutionId]] = field(default_factory=tuple)
    due: Sequence[tuple[TenantId, ExecutionId]] = field(default_factory=tuple)
    forgotten: Sequence[tuple[TenantId, ExecutionId]] = field(default_factory=tuple)


class Sweeping(Protocol):
    async def sweep(self, *, orphan_after: float = 5.0, pending_after: float = 2.0, limit: int = 1000) -> Swept:
        """Release executions of workers not seen for `orphan_after` seconds by the database's clock, mark due
        wake-ups claimable, and list unclaimed ones older than `pending_after` whose doorbell was lost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    definition: Definition
    workflow_name: str


class Definitions(Protocol):
    async def load(self, ids: Sequence[VersionId]) -> Mapping[VersionId, StoredDefinition]:
        """The definitions of these versions, whatever their tenant: for the engine only."""
        ...
