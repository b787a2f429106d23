"""Subscriptions: what is shown live of one execution, and of all of a tenant's."""

from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, cast

import strawberry

from domain import executions_read
from domain.engine.events import Event
from domain.executions import ExecutionFilter
from domain.executions_read import Step
from domain.ids import ExecutionId, decode
from domain.live import Activity
from domain.live_frames import CaughtUp, End, EventBatch, Frame, Gap
from domain.live_list import ListChange
from resolvers import executions
from resolvers.context import RequestContext
from schema.broadcasts import Told
from schema.cohorts import Audience, Shared
from schema.enums import ExecutionStatus, StepStatus
from schema.execution_log import ExecutionEventType, StepType, event_cursor, read_event_cursor
from schema.executions import ExecutionFilterInput, ExecutionType
from schema.info import Info
from schema.protection import ProtectedSchema
from schema.scalars import Cursor


@strawberry.type(description="Up to 100 events that follow those before without a gap.")
class ExecutionEventBatch:
    @strawberry.field(graphql_type=list[ExecutionEventType])
    @staticmethod
    def events(root: strawberry.Parent[EventBatch]) -> Sequence[Event]:
        return root.events

    @strawberry.field(description="Where to go on after a disconnect.")
    @staticmethod
    def cursor(root: strawberry.Parent[EventBatch]) -> Cursor:
        return event_cursor(root.execution_id, root.seq)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, EventBatch)


@strawberry.type(description="A step began or stirred: never shown again, and moves no cursor.")
class ExecutionActivity:
    path: str
    attempt: int
    at: datetime

    @strawberry.field
    @staticmethod
    def node_id(root: strawberry.Parent[Activity]) -> str:
        return root.node

    @strawberry.field
    @staticmethod
    def status(root: strawberry.Parent[Activity]) -> StepStatus:
        return StepStatus(root.status)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Activity)


@strawberry.type(description="All that was durable has been shown; what follows is live.")
class StreamCaughtUp:
    @strawberry.field
    @staticmethod
    def cursor(root: strawberry.Parent[CaughtUp]) -> Cursor:
        return event_cursor(root.execution_id, root.seq)

    @strawberry.field(graphql_type=list[StepType], description="What runs, waits or is to be tried again.")
    @staticmethod
    async def current_steps(root: strawberry.Parent[CaughtUp], info: Info) -> Sequence[Step]:
        overview = await executions.overview_until(info.context, root.execution_id, root.seq)
        return executions_read.current_steps_of(overview) if overview is not None else ()

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, CaughtUp)


@strawberry.type(description="Activity may have been missed; events are shown from the log again, none is lost.")
class StreamGap:
    @strawberry.field
    @staticmethod
    def resume_from(root: strawberry.Parent[Gap]) -> Cursor:
        return event_cursor(root.execution_id, root.seq)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Gap)


@strawberry.type(description="The execution is over and all of it was shown.")
class StreamEnd:
    status: ExecutionStatus

    @strawberry.field
    @staticmethod
    def cursor(root: strawberry.Parent[End]) -> Cursor:
        return event_cursor(root.execution_id, root.seq)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, End)


ExecutionEventFrame = Annotated[
    ExecutionEventBatch | ExecutionActivity | StreamCaughtUp | StreamGap | StreamEnd,
    strawberry.union("ExecutionEventFrame", description="What a watcher of an execution is shown."),
]


@strawberry.type(description="A change of one of the tenant's executions.")
class ExecutionChange:
    execution: ExecutionType | None = strawberry.field(description="As it is now; null when changes were missed.")
    refetch: bool = strawberry.field(description="Changes were missed: read the list again.")


@strawberry.type
class Subscription:
    @strawberry.subscription(
        graphql_type=ExecutionEventFrame, description="An execution's events from `after` on, until it is over."
    )
    async def execution_events(
        self, info: Info, id: strawberry.ID, after: Cursor | None = None
    ) -> AsyncGenerator[Shared, None]:
        execution_id = ExecutionId(decode("execution", id))
        seq = read_event_cursor(execution_id, after)
        return _shared_frames(await executions.watch(info.context, execution_id, seq), _audience(info.context))

    @strawberry.subscription(
        graphql_type=ExecutionChange,
        description="Changes of the tenant's executions, without end; no cursor: after a gap it says refetch.",
    )
    async def executions(self, info: Info, filter: ExecutionFilterInput | None = None) -> AsyncGenerator[Shared, None]:
        chosen = filter.chosen() if filter else ExecutionFilter()
        audience = _audience(info.context)
        source = executions.watch_list(info.context, chosen)
        key = ("executions", audience.tenant, audience.permissions, chosen)
        changes = cast("ProtectedSchema", info.schema).broadcasts.joined(key, source, ListChange(execution=None))
        return _shared_changes(changes, audience)


def _audience(context: RequestContext) -> Audience:
    who = context.principal
    return Audience(tenant=who.tenant_id, permissions=who.permissions, person=who.actor.user_id)


async def _shared_frames(frames: AsyncGenerator[Frame, None], audience: Audience) -> AsyncGenerator[Shared, None]:
    """Each watcher reads the log for itself; what it is shown of it depends on nothing that ever changes."""
    async with aclosing(frames):
        async for frame in frames:
            yield Shared(frame=frame, identity=_identity(frame), audience=audience)


def _identity(frame: Frame) -> Hashable:
    match frame:
        case EventBatch(execution_id=execution_id, events=events):
            return EventBatch, execution_id, events[0].seq, events[-1].seq
        case _:
            return frame  # itself a value


async def _shared_changes(
    changes: AsyncGenerator[Told[ListChange], None], audience: Audience
) -> AsyncGenerator[Shared, None]:
    """All are told of a change at the same moment, and so shown the execution as it is then."""
    async with aclosing(changes):
        async for told in changes:
            yield Shared(frame=told.value, identity=told.number, audience=audience)
