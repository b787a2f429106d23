"""Tasks: work a person does for an execution, what is kept of it, and the ports that keep it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.ids import ExecutionId, TaskId, TenantId, UserId
from domain.json import JSON, JSONObject
from domain.paging import Page, Place, Slice
from domain.tasks_people import Caller

SIGNAL = "task:"
"""The answer to the task of a step is sent as the signal `task:PATH`; nobody else may send one of that name."""


class TaskKind(StrEnum):
    """`approval`: a decision, with or without data. `entry`: data alone."""

    APPROVAL = "approval"
    ENTRY = "entry"


class TaskStatus(StrEnum):
    """`withdrawn`: the execution needs no answer any more. `expired`: nobody answered in time."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class TaskDecision(StrEnum):
    """Also the output that the step takes. Data that was entered counts as approved."""

    APPROVED = "approved"
    REJECTED = "rejected"


class TaskEntryKind(StrEnum):
    COMMENTED = "COMMENTED"
    CLAIMED = "CLAIMED"
    UNCLAIMED = "UNCLAIMED"
    DELEGATED = "DELEGATED"
    ESCALATED = "ESCALATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """What a step asks of people. `assignees` are user ids, e-mail addresses or `role:NAME`.

    `form` is the JSON Schema of the answer's data. At `due_at` the task is handed to `escalate_to`, if that names
    anybody; at `expires_at` it is over.
    """

    execution_id: ExecutionId
    path: str
    kind: TaskKind = TaskKind.APPROVAL
    title: str
    description: str = ""
    form: JSONObject = field(default_factory=dict[str, JSON])
    data: JSON = None
    assignees: Sequence[str] = ()
    due_at: datetime | None = None
    expires_at: datetime | None = None
    escalate_to: Sequence[str] = ()
    signature: bool = False

    @property
    def signal(self) -> str:
        return SIGNAL + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSignature:
    """Who proved by their password that the answer is theirs; `digest` as `domain.tasks_sign` computes it."""

    by: UserId
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One question to people. Nobody among `assignees`: it is for whoever may manage tasks.

    `claimed_by` is a user or API key (TypeID) that has taken it from the other assignees. `decision`, `output`,
    `comment`, `decided_by` (TypeID) and `decided_at` are set once it is COMPLETED.
    """

    id: TaskId
    execution_id: ExecutionId
    path: str
    kind: TaskKind
    title: str
    description: str = ""
    form: JSONObject = field(default_factory=dict[str, JSON])
    data: JSON = None
    assignees: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()
    needs_signature: bool = False
    status: TaskStatus = TaskStatus.OPEN
    due_at: datetime | None = None
    expires_at: datetime | None = None
    claimed_by: str | None = None
    escalated_at: datetime | None = None
    decision: TaskDecision | None = None
    output: JSON = None
    comment: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    signature: TaskSignature | None = None
    created_at: datetime
    updated_at: datetime
    revision: int = 1

    @property
    def signal(self) -> str:
        return SIGNAL + self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEntry:
    """A line of a task's history. `by` is the TypeID of who did it, None for the clock.

    `assignees` are those it was handed to, by a delegation or an escalation.
    """

    id: UUID
    task_id: TaskId
    kind: TaskEntryKind
    by: str | None
    at: datetime
    assignees: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Every part given must hold. `mine`: this caller could complete it. `overdue`: open, and its due time is over."""

    mine: Caller | None = None
    status: tuple[TaskStatus, ...] = ()
    execution_id: ExecutionId | None = None
    overdue: bool = False


class TaskReader(Protocol):
    """Born with a tenant; another tenant's tasks are not there. Lists are latest first: ids are in order of time."""

    async def by_ids(self, ids: Sequence[TaskId]) -> Sequence[Task]: ...

    async def page(self, chosen: TaskFilter, page: Page) -> Slice[Task]: ...

    async def count(self, chosen: TaskFilter) -> int: ...

    async def history(self, task_id: TaskId, page: Page) -> Slice[TaskEntry]:
        """Oldest first."""
        ...


class TaskWriter(Protocol):
    """Born with a tenant."""

    async def change(self, changed: Task, entry: TaskEntry) -> bool:
        """Store assignees and claim, and the entry with them; the revision grows by one.

        False, and nothing is stored, unless the stored task is open and has the revision of `changed`.
        """
        ...

    async def note(self, entry: TaskEntry) -> None: ...


class Answered(StrEnum):
    """`changed`: the task is not as it was read. `over`: its execution has ended. In both cases nothing is stored."""

    STORED = "stored"
    CHANGED = "changed"
    OVER = "over"


class TaskAnswers(Protocol):
    async def store(self, tenant_id: TenantId, completed: Task, answer: JSONObject) -> Answered:
        """Complete the task and, in the same transaction, send the answer to its execution under `completed.signal`.

        Only an open task of the revision of `completed` is completed, so it has one answer, whoever asks at once.
        """
        ...


class TaskAnnouncer(Protocol):
    def announce_tasks(self, tenant_id: TenantId, ids: Sequence[TaskId]) -> None:
        """Tell those who watch the tenant's tasks that these have changed; may be lost."""
        ...


class TaskDesk(Protocol):
    """One tenant's tasks, as a step sees them. Waits for the database when that is away."""

    async def open(self, request: TaskRequest) -> Task:
        """Put the task into its assignees' inboxes; asked again for the same execution and path it is the same task."""
        ...

    async def look(self, execution_id: ExecutionId, path: str, at: datetime) -> Task:
        """The task after what was due at `at` has been done: it is handed on (once), or over."""
        ...


def place(task: Task) -> Place:
    return Place(id=task.id)


def is_overdue(task: Task, now: datetime) -> bool:
    return task.status is TaskStatus.OPEN and task.due_at is not None and task.due_at < now


def matches(chosen: TaskFilter, task: Task, now: datetime) -> bool:
    """Whether the task is in the filter: the same answer a store's query gives."""
    return (
        (chosen.mine is None or is_for(task, chosen.mine))
        and (not chosen.status or task.status in chosen.status)
        and chosen.execution_id in (None, task.execution_id)
        and (not chosen.overdue or is_overdue(task, now))
    )


def is_for(task: Task, caller: Caller) -> bool:
    """Whether the task is in this caller's inbox: assigned to them, and nobody else has claimed it."""
    return task.claimed_by in (None, caller.person) and is_assigned(task, caller)


def is_assigned(task: Task, caller: Caller) -> bool:
    return not caller.names.isdisjoint(task.assignees) or (not task.assignees and caller.manages)
