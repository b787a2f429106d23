"""Executions, as the API shows and finds them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import executions as domain_executions
from domain import executions_read
from domain.dead_letters import DeadLetter
from domain.engine.events import Event
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.executions_logs import LogEntry
from domain.executions_prepare import MAX_KEY
from domain.executions_read import Overview, Step
from domain.ids import ExecutionId, WorkflowId, decode
from domain.limits import QueuePlace
from domain.storable import checked_text
from domain.tasks import Task
from domain.triggers import Trigger
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import dead_letters, executions, limits, trials, triggers, workflows
from schema.dead_letters import DeadLetterType
from schema.enums import Direction, ExecutionStatus, LogLevel, TriggerType
from schema.execution_family import ExecutionFamily
from schema.execution_log import (
    ExecutionEventType,
    LogEntryType,
    StepType,
    listed_events,
    listed_logs,
    listed_steps,
)
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.queues import QueuePlaceType
from schema.scalars import JSON
from schema.tasks import TaskType
from schema.tasks import listed_of_execution as listed_tasks
from schema.trials import ExecutionTest
from schema.triggers import TriggerNode

if TYPE_CHECKING:
    from schema.workflows import VersionType, WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyVersion = Annotated["VersionType", strawberry.lazy("schema.workflows")]
LazyExecution = Annotated["ExecutionType", strawberry.lazy("schema.executions")]


@strawberry.type(name="Execution", description="One run of one version of a workflow.")
class ExecutionType(ExecutionFamily, Node):
    status: ExecutionStatus
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    output: JSON | None
    error: JSON | None = strawberry.field(description="Why it failed: {code, message, …}")
    trigger_type: TriggerType
    triggered_by: str | None = strawberry.field(description="The id of the user, key or trigger that began it.")
    draft: bool = strawberry.field(description="Whether it runs a draft that was tried out.")
    environment: str

    @strawberry.field(graphql_type=ExecutionTest | None, description="Null unless it runs in test mode.")
    @staticmethod
    async def test(root: strawberry.Parent[Execution], info: Info) -> Overview | None:
        return await trials.of_execution(info.context, root)

    @strawberry.field(description="What expressions see at the step of this path, or saw when it ran; secrets hidden.")
    @staticmethod
    async def scope(root: strawberry.Parent[Execution], info: Info, path: str) -> JSON:
        return await trials.scope(info.context, root.id, path)

    @strawberry.field(description="0 to 100.")
    @staticmethod
    async def progress(root: strawberry.Parent[Execution], info: Info) -> int:
        if root.status.terminal:
            return 100
        overview = await executions.overview(info.context, root.id)
        return executions_read.progress_of(overview) if overview is not None else 0

    @strawberry.field
    @staticmethod
    async def input(root: strawberry.Parent[Execution], info: Info) -> JSON | None:
        overview = await executions.overview(info.context, root.id)
        return overview.state.input if overview is not None else None

    @strawberry.field(description="Its variables as they are now.")
    @staticmethod
    async def variables(root: strawberry.Parent[Execution], info: Info) -> JSON | None:
        overview = await executions.overview(info.context, root.id)
        return overview.state.vars if overview is not None else None

    @strawberry.field(description="From its start to its end, or until now.")
    @staticmethod
    def duration_ms(root: strawberry.Parent[Execution], info: Info) -> float | None:
        if root.started_at is None:
            return None
        return ((root.finished_at or info.context.now) - root.started_at) / timedelta(milliseconds=1)

    @strawberry.field(description="If the rest goes as fast as what is done; null when that says nothing.")
    @staticmethod
    async def estimated_finish_at(root: strawberry.Parent[Execution], info: Info) -> datetime | None:
        if root.status.terminal:
            return None
        overview = await executions.overview(info.context, root.id)
        if overview is None:
            return None
        return executions_read.estimated_finish(overview, root.started_at, info.context.now)

    @strawberry.field(graphql_type=LazyWorkflow | None, description="Null once it is deleted.")
    @staticmethod
    async def workflow(root: strawberry.Parent[Execution], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=LazyVersion | None)
    @staticmethod
    async def version(root: strawberry.Parent[Execution], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id)

    @strawberry.field(graphql_type=TriggerNode | None, description="The trigger that fired, if one did.")
    @staticmethod
    async def trigger(root: strawberry.Parent[Execution], info: Info) -> Trigger | None:
        return await triggers.by_id(info.context, root.trigger_id) if root.trigger_id is not None else None

    @strawberry.field(graphql_type=LazyExecution | None, description="The execution this one repeats.")
    @staticmethod
    async def retry_of(root: strawberry.Parent[Execution], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.retry_of) if root.retry_of is not None else None

    @strawberry.field(graphql_type=QueuePlaceType | None, description="While it waits to begin; null afterwards.")
    @staticmethod
    async def queue(root: strawberry.Parent[Execution], info: Info) -> QueuePlace | None:
        return await limits.place(info.context, root.id) if root.status is ExecutionStatus.PENDING else None

    @strawberry.field(graphql_type=DeadLetterType | None, description="When it failed and nobody began it for a child.")
    @staticmethod
    async def dead_letter(root: strawberry.Parent[Execution], info: Info) -> DeadLetter | None:
        failed = root.status is ExecutionStatus.FAILED
        return await dead_letters.of_execution(info.context, root.id) if failed else None

    @strawberry.field(graphql_type=list[StepType], description="What runs, waits or is to be tried again.")
    @staticmethod
    async def current_steps(root: strawberry.Parent[Execution], info: Info) -> Sequence[Step]:
        if root.status.terminal:
            return ()
        overview = await executions.overview(info.context, root.id)
        return executions_read.current_steps_of(overview) if overview is not None else ()

    @strawberry.field(graphql_type=Connection[StepType], description="In the order they were activated.")
    @staticmethod
    async def steps(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Step]:
        return await listed_steps(info, root.id, first, after)

    @strawberry.field(graphql_type=Connection[ExecutionEventType], description="Its log, from the beginning.")
    @staticmethod
    async def events(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Event]:
        return await listed_events(info, root.id, first, after)

    @strawberry.field(graphql_type=Connection[TaskType], description="What it asks or has asked of people.")
    @staticmethod
    async def tasks(
        root: strawberry.Parent[Execution], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Task]:
        return await listed_tasks(info, root.id, first, after)

    @strawberry.field(graphql_type=Connection[LogEntryType], description="Lines at least as grave as `level`.")
    @staticmethod
    async def logs(
        root: strawberry.Parent[Execution],
        info: Info,
        first: int | None = None,
        after: str | None = None,
        level: LogLevel = LogLevel.DEBUG,
    ) -> Listed[LogEntry]:
        return await listed_logs(info, root.id, first, after, level)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Execution)


@strawberry.input(name="ExecutionFilter", description="Every part given must hold.")
class ExecutionFilterInput:
    workflow_id: strawberry.ID | None = None
    status: list[ExecutionStatus] | None = None
    trigger_type: list[TriggerType] | None = None
    since: datetime | None = strawberry.field(default=None, description="Created then or later.")
    until: datetime | None = strawberry.field(default=None, description="Created earlier.")
    retry_of: strawberry.ID | None = None
    parent_id: strawberry.ID | None = strawberry.field(default=None, description="Begun by this execution.")
    environment: str | None = None
    test: bool | None = strawberry.field(default=None, description="Those in test mode, or those that are not.")

    def chosen(self) -> ExecutionFilter:
        """Raises InvalidId, Invalid for a name that nothing stored can have."""
        checked_text(self.environment or "", "filter", "environment", most=MAX_KEY)
        of, first, parent = self.workflow_id, self.retry_of, self.parent_id
        return ExecutionFilter(
            workflow_id=WorkflowId(read_id("workflow", of, "filter", "workflowId")) if of is not None else None,
            status=tuple(self.status or ()),
            trigger_type=tuple(self.trigger_type or ()),
            since=self.since,
            until=self.until,
            retry_of=ExecutionId(read_id("execution", first, "filter", "retryOf")) if first is not None else None,
            parent_id=ExecutionId(read_id("execution", parent, "filter", "parentId")) if parent is not None else None,
            environment=self.environment,
            test=self.test,
        )


@strawberry.input(name="ExecutionOrder", description="By creation.")
class ExecutionOrderInput:
    direction: Direction = Direction.DESC


async def listed_executions(
    info: Info,
    chosen: ExecutionFilter,
    order: ExecutionOrder,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Listed[Execution]:
    cursors = Cursors(kind="executions", scope=(chosen, order))
    found = await executions.page(info.context, chosen, order, cursors.page(first, after, last, before))
    return cursors.listed(found, domain_executions.place, partial(executions.count, info.context, chosen))


async def listed_of_workflow(
    info: Info,
    workflow_id: WorkflowId,
    given: ExecutionFilterInput | None,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Listed[Execution]:
    """A workflow's executions, latest first."""
    chosen = replace(given.chosen() if given else ExecutionFilter(), workflow_id=workflow_id)
    return await listed_executions(info, chosen, ExecutionOrder(), first, after, last, before)


@strawberry.type
class ExecutionQuery:
    @strawberry.field(graphql_type=ExecutionType | None)
    async def execution(self, info: Info, id: strawberry.ID) -> Execution | None:
        return await executions.by_id(info.context, ExecutionId(decode("execution", id)))

    @strawberry.field(graphql_type=Connection[ExecutionType])
    async def executions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ExecutionFilterInput | None = None,
        order_by: ExecutionOrderInput | None = None,
    ) -> Listed[Execution]:
        chosen = filter.chosen() if filter else ExecutionFilter()
        order = ExecutionOrder(direction=order_by.direction) if order_by else ExecutionOrder()
        return await listed_executions(info, chosen, order, first, after, last, before)
