"""Tasks for people, as the API shows and finds them."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import signatures, tasks_sign
from domain import tasks as domain_tasks
from domain.executions import Execution
from domain.ids import ExecutionId, TaskId, decode, encode
from domain.paging import Place
from domain.tasks import Task, TaskEntry, TaskFilter, TaskSignature
from resolvers import executions, tasks
from schema.enums import TaskDecision, TaskEntryKind, TaskKind, TaskStatus
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.executions import ExecutionType

LazyExecution = Annotated["ExecutionType", strawberry.lazy("schema.executions")]


@strawberry.type(name="TaskSignature", description="Who proved by their password that the answer is theirs.")
class TaskSignatureType:
    digest: str = strawberry.field(description="Of the canonical JSON of the answer, in hexadecimal.")

    @strawberry.field(description="The id of the user.")
    @staticmethod
    def by(root: strawberry.Parent[TaskSignature]) -> strawberry.ID:
        return strawberry.ID(encode("user", root.by))

    @strawberry.field(description="What the digest was computed by.")
    @staticmethod
    def algorithm() -> str:
        return signatures.ALGORITHM


@strawberry.type(name="TaskEntry", description="A line of a task's history.")
class TaskEntryType:
    kind: TaskEntryKind
    by: str | None = strawberry.field(description="The id of the user or API key; null for the clock.")
    at: datetime
    comment: str | None

    @strawberry.field(description="Whom it was handed to, by a delegation or an escalation.")
    @staticmethod
    def assignees(root: strawberry.Parent[TaskEntry]) -> list[str]:
        return list(root.assignees)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, TaskEntry)


@strawberry.type(name="Task", description="What an execution asks of people.")
class TaskType(Node):
    path: str = strawberry.field(description="The step that asks.")
    kind: TaskKind
    title: str
    description: str
    form: JSON = strawberry.field(description="The JSON Schema of the data that is asked for.")
    data: JSON | None = strawberry.field(description="What is shown beside the form.")
    needs_signature: bool = strawberry.field(description="Whether taskComplete takes the caller's password.")
    status: TaskStatus
    due_at: datetime | None
    expires_at: datetime | None = strawberry.field(description="When it can be answered no longer.")
    escalated_at: datetime | None
    claimed_by: str | None = strawberry.field(description="The id of the user or API key that has taken it.")
    decision: TaskDecision | None
    output: JSON | None = strawberry.field(description="The data that was entered.")
    comment: str | None
    decided_by: str | None = strawberry.field(description="The id of the user or API key that completed it.")
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime
    revision: int

    @strawberry.field(description="E-mail addresses, ids of users, role:NAME; nobody: who may manage tasks.")
    @staticmethod
    def assignees(root: strawberry.Parent[Task]) -> list[str]:
        return list(root.assignees)

    @strawberry.field(description="Who gets it when it is due.")
    @staticmethod
    def escalate_to(root: strawberry.Parent[Task]) -> list[str]:
        return list(root.escalate_to)

    @strawberry.field(description="Whether it is open, and its due time is over.")
    @staticmethod
    def overdue(root: strawberry.Parent[Task], info: Info) -> bool:
        return domain_tasks.is_overdue(root, info.context.now)

    @strawberry.field(graphql_type=TaskSignatureType | None)
    @staticmethod
    def signature(root: strawberry.Parent[Task]) -> TaskSignature | None:
        return root.signature

    @strawberry.field(description="Whether the stored answer is still the one that was signed; null without signature.")
    @staticmethod
    def signature_holds(root: strawberry.Parent[Task]) -> bool | None:
        return tasks_sign.holds(root) if root.signature is not None else None

    @strawberry.field(graphql_type=LazyExecution | None)
    @staticmethod
    async def execution(root: strawberry.Parent[Task], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.execution_id)

    @strawberry.field(graphql_type=Connection[TaskEntryType], description="Comments and who it was with, in order.")
    @staticmethod
    async def history(
        root: strawberry.Parent[Task], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[TaskEntry]:
        cursors = Cursors(kind="task history", scope=root.id)
        found = await tasks.history(info.context, root.id, cursors.page(first, after, None, None))
        return cursors.listed(found, lambda entry: Place(id=entry.id))

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Task)


@strawberry.input(name="TaskFilter", description="Every part given must hold.")
class TaskFilterInput:
    mine: bool = strawberry.field(default=False, description="In the caller's inbox: theirs, claimed by nobody else.")
    status: list[TaskStatus] | None = None
    execution_id: strawberry.ID | None = None
    overdue: bool = strawberry.field(default=False, description="Open, and its due time is over.")

    async def chosen(self, info: Info) -> TaskFilter:
        """Raises InvalidId."""
        of = self.execution_id
        return TaskFilter(
            mine=await tasks.caller(info.context) if self.mine else None,
            status=tuple(self.status or ()),
            execution_id=ExecutionId(read_id("execution", of, "filter", "executionId")) if of is not None else None,
            overdue=self.overdue,
        )


async def listed_tasks(
    info: Info, chosen: TaskFilter, first: int | None, after: str | None, last: int | None, before: str | None
) -> Listed[Task]:
    """Latest first. A cursor is good for the person it was given to, whatever their roles have become."""
    scope = (replace(chosen, mine=None), chosen.mine.person if chosen.mine else None)
    cursors = Cursors(kind="tasks", scope=scope)
    found = await tasks.page(info.context, chosen, cursors.page(first, after, last, before))
    return cursors.listed(found, domain_tasks.place, partial(tasks.count, info.context, chosen))


async def listed_of_execution(
    info: Info, execution_id: ExecutionId, first: int | None, after: str | None
) -> Listed[Task]:
    """What the execution has asked, latest first."""
    return await listed_tasks(info, TaskFilter(execution_id=execution_id), first, after, None, None)


@strawberry.type
class TaskQuery:
    @strawberry.field(graphql_type=TaskType | None)
    async def task(self, info: Info, id: strawberry.ID) -> Task | None:
        return await tasks.by_id(info.context, TaskId(decode("task", id)))

    @strawberry.field(graphql_type=Connection[TaskType], description="Latest first.")
    async def tasks(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: TaskFilterInput | None = None,
    ) -> Listed[Task]:
        chosen = await filter.chosen(info) if filter else TaskFilter()
        return await listed_tasks(info, chosen, first, after, last, before)
