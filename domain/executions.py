"""Executions as a reader sees them: the row, its log, and the ports both come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.engine.events import Event, EventKind
from domain.engine.ports import ExecutionStatus
from domain.environments import DEFAULT
from domain.ids import ExecutionId, SplitId, TriggerId, VersionId, WorkflowId
from domain.json import JSON, JSONObject
from domain.paging import Direction, Page, Place, Slice
from domain.starts import TriggerType


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of one version. `output` and `error` ({code, message, …}) are set once it is finished.

    `triggered_by` is the TypeID of who began it. `retry_of`: the execution this one repeats or continues.
    `split_id`: the split that has chosen its version. `trial_of`: the saved test case or the load run it is a trial of.
    """

    id: ExecutionId
    workflow_id: WorkflowId
    version_id: VersionId
    status: ExecutionStatus
    priority: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    output: JSON = None
    error: JSONObject | None = None
    trigger_type: TriggerType = TriggerType.API
    triggered_by: str | None = None
    trigger_id: TriggerId | None = None
    retry_of: ExecutionId | None = None
    root_of: ExecutionId | None = None
    parent_id: ExecutionId | None = None
    parent_path: str | None = None
    draft: bool = False
    environment: str = DEFAULT
    split_id: SplitId | None = None
    test: bool = False
    trial_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Every part given must hold; times are compared with the creation, `since` included, `until` not."""

    workflow_id: WorkflowId | None = None
    status: tuple[ExecutionStatus, ...] = ()
    trigger_type: tuple[TriggerType, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    retry_of: ExecutionId | None = None
    parent_id: ExecutionId | None = None
    version_id: VersionId | None = None
    environment: str | None = None
    test: bool | None = None
    trial_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOrder:
    """By creation, which is the order of the ids."""

    direction: Direction = Direction.DESC


class ExecutionReader(Protocol):
    """Born with a tenant; another tenant's executions are not there."""

    async def by_ids(self, ids: Sequence[ExecutionId]) -> Sequence[Execution]:
        """Those that exist, in any order."""
        ...

    async def page(self, chosen: ExecutionFilter, order: ExecutionOrder, page: Page) -> Slice[Execution]:
        """`Place.value` is None: the id alone orders."""
        ...

    async def count(self, chosen: ExecutionFilter) -> int: ...

    async def children_of(self, ids: Sequence[ExecutionId], limit: int) -> Sequence[Execution]:
        """Up to `limit` of the executions that these have begun, in the order they were."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """A snapshot of a folded log, or nothing (`state` None, `seq` 0)."""

    seq: int = 0
    state: JSON = None


class LogReader(Protocol):
    """Born with a tenant; the log of an execution that is not there is empty."""

    async def after(self, execution_id: ExecutionId, seq: int, limit: int) -> Sequence[Event]:
        """Up to `limit` events with a higher seq, in order."""
        ...

    async def before(self, execution_id: ExecutionId, seq: int | None, limit: int) -> Sequence[Event]:
        """Up to `limit` events with a lower seq (None: from the end), the latest first."""
        ...

    async def of_kinds(
        self, execution_id: ExecutionId, kinds: Sequence[EventKind], seq: int, limit: int
    ) -> Sequence[Event]:
        """Up to `limit` events of these kinds with a higher seq, in order."""
        ...

    async def whole(self, ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, Sequence[Event]]:
        """All events of these executions, each log in order."""
        ...

    async def count(self, execution_id: ExecutionId) -> int: ...


def place(execution: Execution) -> Place:
    return Place(id=execution.id)


def matches(chosen: ExecutionFilter, execution: Execution) -> bool:
    """Whether the execution is in the filter: the same answer a store's query gives."""
    return (
        chosen.workflow_id in (None, execution.workflow_id)
        and (not chosen.status or execution.status in chosen.status)
        and (not chosen.trigger_type or execution.trigger_type in chosen.trigger_type)
        and (chosen.since is None or execution.created_at >= chosen.since)
        and (chosen.until is None or execution.created_at < chosen.until)
        and chosen.retry_of in (None, execution.retry_of)
        and chosen.parent_id in (None, execution.parent_id)
        and chosen.version_id in (None, execution.version_id)
        and chosen.environment in (None, execution.environment)
        and chosen.test in (None, execution.test)
        and chosen.trial_of in (None, execution.trial_of)
    )
