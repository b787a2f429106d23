"""The commit that begins executions: rows, first events and idempotency keys, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.engine.events import Event
from domain.ids import ExecutionId, SplitId, TenantId, TriggerId, VersionId, WorkerId, WorkflowId


class TriggerType(StrEnum):
    """What an execution was begun by; the first four are also what a trigger can be."""

    WEBHOOK = "WEBHOOK"
    SCHEDULE = "SCHEDULE"
    EVENT = "EVENT"
    DATA_CHANGE = "DATA_CHANGE"
    API = "API"
    MANUAL = "MANUAL"
    RETRY = "RETRY"
    PARENT = "PARENT"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartKey:
    """A caller's idempotency key: the same request again finds the first execution until `expires_at`."""

    key: str
    request_hash: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """A row (status PENDING, wants_owner) and its first events: seq from 1 without gaps, epoch 0.

    `triggered_by` is the actor's TypeID. `root_of`: the first execution of a chain of retries. `owner`: the worker it
    is begun for; nobody else may claim it as long as that one lives. `parent_id`, `parent_path`: the execution and the
    step that began it. `start_at`: nobody begins it before. `test`: it runs in test mode.
    `trial_of`: the saved test case or the load run it is a trial of.
    """

    id: ExecutionId
    workflow_id: WorkflowId
    version_id: VersionId
    events: Sequence[Event]
    created_at: datetime
    priority: int = 0
    trigger_type: TriggerType = TriggerType.API
    triggered_by: str | None = None
    trigger_id: TriggerId | None = None
    retry_of: ExecutionId | None = None
    root_of: ExecutionId | None = None
    draft: bool = False
    test: bool = False
    key: StartKey | None = None
    owner: WorkerId | None = None
    parent_id: ExecutionId | None = None
    parent_path: str | None = None
    start_at: datetime | None = None
    environment: str | None = None
    split_id: SplitId | None = None
    trial_of: UUID | None = None


class StartStatus(StrEnum):
    """`repeated`: the key was used for the same request, `execution_id` is that one's. `mismatch`: for another."""

    STARTED = "started"
    REPEATED = "repeated"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartResult:
    status: StartStatus
    execution_id: ExecutionId


class Starts(Protocol):
    async def insert(self, tenant_id: TenantId, executions: Sequence[NewExecution]) -> Sequence[StartResult]:
        """All of them in one transaction; results in the order given. The same key twice in one call: the second
        is repeated or mismatched. An expired key is as good as none.

        Raises `domain.quotas.QuotaReached`; then none is started."""
        ...
