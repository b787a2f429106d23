"""What lies inside an execution: its steps, the events of its log, the lines its steps wrote."""

from datetime import datetime
from functools import partial

import strawberry

from domain import executions_read
from domain.engine.events import Event
from domain.errors import Invalid
from domain.executions_logs import BEGINNING, LogEntry
from domain.executions_read import Step
from domain.graphs import Node as GraphNodeValue
from domain.ids import ExecutionId
from domain.paging import MAX_PAGE, Place, Slice
from resolvers import executions
from schema.enums import EventKind, LogLevel, StepStatus
from schema.graphs import GraphNode
from schema.info import Info
from schema.paging import Cursors, Listed
from schema.scalars import JSON, BigInt, Cursor

DEFAULT_PAGE = 50


@strawberry.type(name="Step", description="One activation of a node.")
class StepType:
    path: str = strawberry.field(description="The node's id; price#2 the second time, loop[3].price inside a loop.")
    status: StepStatus
    attempt: int = strawberry.field(description="From 1.")
    input: JSON | None
    output: JSON | None
    error: JSON | None = strawberry.field(description="Of the last attempt that failed: {code, message, …}")
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: float | None = strawberry.field(description="Of the last attempt.")
    usage: JSON | None = strawberry.field(
        description="What the last attempt consumed, where that is measured: {cpuMs, memoryBytes, tokens, …}"
    )

    @strawberry.field(graphql_type=GraphNode, description="What was to be done.")
    @staticmethod
    def node(root: strawberry.Parent[Step]) -> GraphNodeValue:
        return root.node

    @strawberry.field
    @staticmethod
    def node_id(root: strawberry.Parent[Step]) -> str:
        return root.node.id


@strawberry.type(name="ExecutionEvent", description="An entry of an execution's log; never changed, never doubled.")
class ExecutionEventType:
    kind: EventKind
    path: str | None
    attempt: int | None
    at: datetime

    @strawberry.field(description="From 1, without gaps.")
    @staticmethod
    def seq(root: strawberry.Parent[Event]) -> BigInt:
        return BigInt(root.seq)

    @strawberry.field
    @staticmethod
    def node_id(root: strawberry.Parent[Event]) -> strawberry.ID | None:
        return strawberry.ID(root.node) if root.node is not None else None

    @strawberry.field(description="How long the attempt ran, where the event ends one.")
    @staticmethod
    def duration_ms(root: strawberry.Parent[Event]) -> float | None:
        ms = root.payload.get("ms")
        return float(ms) if isinstance(ms, int | float) else None

    @strawberry.field(description="What the kind says; docs/execution-log.md describes each.")
    @staticmethod
    def data(root: strawberry.Parent[Event]) -> JSON | None:
        return root.payload


@strawberry.type(name="Log", description="A line a step wrote.")
class LogEntryType:
    at: datetime
    level: LogLevel
    message: str
    data: JSON | None
    path: str | None

    @strawberry.field
    @staticmethod
    def node_id(root: strawberry.Parent[LogEntry]) -> strawberry.ID | None:
        return strawberry.ID(root.node) if root.node is not None else None


def event_cursor(execution_id: ExecutionId, seq: int) -> Cursor:
    """A place in one execution's log, for connections and subscriptions alike."""
    return Cursor(_event_cursors(execution_id).write(Place(id=execution_id, value=seq)))


def read_event_cursor(execution_id: ExecutionId, cursor: str | None) -> int:
    """The seq in a cursor of this execution's log, 0 without one; raises Invalid."""
    place = _event_cursors(execution_id).read(cursor, "after")
    return read_number(place)


async def listed_events(info: Info, execution_id: ExecutionId, first: int | None, after: str | None) -> Listed[Event]:
    seq, size = read_event_cursor(execution_id, after), page_size(first)
    found = await executions.events(info.context, execution_id, seq, size + 1)
    part = Slice(items=found[:size], has_next=len(found) > size, has_previous=seq > 0)
    return _event_cursors(execution_id).listed(
        part,
        lambda event: Place(id=execution_id, value=event.seq),
        partial(executions.count_events, info.context, execution_id),
    )


async def listed_logs(
    info: Info, execution_id: ExecutionId, first: int | None, after: str | None, level: LogLevel
) -> Listed[LogEntry]:
    cursors = Cursors(kind="logs", orders_by=str, scope=(execution_id, level.value))
    place, size = cursors.read(after, "after"), page_size(first)
    begin = _log_place(place)
    found = await executions.logs(info.context, execution_id, begin, size + 1, level)
    part = Slice(items=found[:size], has_next=len(found) > size, has_previous=begin > BEGINNING)
    return cursors.listed(part, lambda entry: Place(id=execution_id, value=f"{entry.place[0]}.{entry.place[1]}"))


async def listed_steps(info: Info, execution_id: ExecutionId, first: int | None, after: str | None) -> Listed[Step]:
    overview = await executions.overview(info.context, execution_id)
    steps = executions_read.steps_of(overview) if overview is not None else ()
    cursors = Cursors(kind="steps", orders_by=int, scope=execution_id)
    passed, size = read_number(cursors.read(after, "after")), page_size(first)
    numbered = list(enumerate(steps, 1))[passed : passed + size]
    numbers = {step.path: number for number, step in numbered}
    part = Slice(items=[step for _, step in numbered], has_next=len(steps) > passed + size, has_previous=passed > 0)

    async def count() -> int:
        return len(steps)

    return cursors.listed(part, lambda step: Place(id=execution_id, value=numbers[step.path]), count)


def _event_cursors(execution_id: ExecutionId) -> Cursors:
    return Cursors(kind="events", orders_by=int, scope=execution_id)


def read_number(place: Place | None) -> int:
    """The whole number in a cursor, 0 without one; raises Invalid."""
    if place is None:
        return 0
    if not isinstance(place.value, int) or place.value < 0:
        raise Invalid("The cursor is none of ours", path=("after",))
    return place.value


def _log_place(place: Place | None) -> tuple[int, int]:
    if place is None:
        return BEGINNING
    seq, _, index = str(place.value).partition(".")
    if not (seq.isdecimal() and index.isdecimal()):
        raise Invalid("The cursor is none of ours", path=("after",))
    return int(seq), int(index)


def page_size(first: int | None) -> int:
    """50 when the caller says nothing; raises Invalid."""
    if first is None:
        return DEFAULT_PAGE
    if not 0 <= first <= MAX_PAGE:
        raise Invalid(f"first is {first}; it is at least 0 and at most {MAX_PAGE}", path=("first",))
    return first
