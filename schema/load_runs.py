"""Load runs, as the API begins, shows and cancels them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import load_runs as domain_load_runs
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.ids import LoadRunId, WorkflowId, decode
from domain.load_runs import DEFAULT_CONCURRENCY, LoadRun
from domain.load_runs_report import LoadReport, NodeTime, Spread
from domain.load_runs_start import LoadSize, NewLoadRun
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import load_runs, workflows
from schema.enums import LoadRunStatus
from schema.errors import Answer, Payload, answer
from schema.executions import ExecutionType, listed_executions
from schema.identifiers import read_id
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON
from schema.splits import CountedError, ErrorCountType
from schema.statistics import StatusCountType
from schema.trials import PinInput, pins_of

if TYPE_CHECKING:
    from schema.workflows import VersionType, WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyVersion = Annotated["VersionType", strawberry.lazy("schema.workflows")]


@strawberry.type(name="LoadSpread", description="Milliseconds: half, 95 and 99 of 100 took no longer; the longest.")
class LoadSpreadType:
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


@strawberry.type(name="LoadNodeTime", description="The attempts of a node, in milliseconds.")
class LoadNodeTimeType:
    node: str = strawberry.field(description="Its id; loop.price inside a body.")
    attempts: int
    total_ms: float
    p50_ms: float
    p95_ms: float
    max_ms: float

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, NodeTime)


@strawberry.type(name="LoadReport", description="What a load run has come to by now.")
class LoadReportType:
    begun: int
    running: int
    seconds: float = strawberry.field(description="From the first that was begun to the last that is over.")
    per_second: float | None = strawberry.field(description="Executions that are over, per second.")

    @strawberry.field
    @staticmethod
    def statuses(root: strawberry.Parent[LoadReport]) -> list[StatusCountType]:
        return [StatusCountType(status=each, count=number) for each, number in root.statuses.items()]

    @strawberry.field(graphql_type=list[ErrorCountType], description="The most frequent first.")
    @staticmethod
    def errors(root: strawberry.Parent[LoadReport]) -> Sequence[CountedError]:
        return [CountedError(code=code, count=count) for code, count in root.errors.items()]

    @strawberry.field(description="From when a worker took an execution up to its end.")
    @staticmethod
    def durations(root: strawberry.Parent[LoadReport]) -> LoadSpreadType:
        return _spread(root.durations)

    @strawberry.field(description="From when an execution was begun until a worker took it up.")
    @staticmethod
    def queue_waits(root: strawberry.Parent[LoadReport]) -> LoadSpreadType:
        return _spread(root.queue_waits)

    @strawberry.field(
        graphql_type=list[LoadNodeTimeType],
        description="The ten slowest by total and by 95th percentile each, by total.",
    )
    @staticmethod
    def nodes(root: strawberry.Parent[LoadReport]) -> Sequence[NodeTime]:
        return root.nodes


@strawberry.type(name="LoadRun", description="A workflow run many times over in test mode.")
class LoadRunType(Node):
    status: LoadRunStatus
    count: int
    concurrency: int = strawberry.field(description="How many are under way at once at most.")
    rate: float | None = strawberry.field(description="How many begin per second at most.")
    draft: bool
    begun: int
    created_at: datetime
    created_by: str = strawberry.field(description="The id of the user or key.")
    cancelled_at: datetime | None
    cancelled_by: str | None = strawberry.field(description="The id of the user or key.")
    finished_at: datetime | None = strawberry.field(description="When the last of it was over.")

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[LoadRun], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=LazyVersion | None)
    @staticmethod
    async def version(root: strawberry.Parent[LoadRun], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id)

    @strawberry.field(graphql_type=LoadReportType, description="As it is by now, until it is over.")
    @staticmethod
    async def report(root: strawberry.Parent[LoadRun], info: Info) -> LoadReport:
        return await load_runs.report(info.context, root)

    @strawberry.field(graphql_type=Connection[ExecutionType], description="Latest first.")
    @staticmethod
    async def executions(
        root: strawberry.Parent[LoadRun], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Execution]:
        chosen = ExecutionFilter(trial_of=root.id)
        return await listed_executions(info, chosen, ExecutionOrder(), first, after, None, None)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, LoadRun)


@strawberry.type
class LoadedWorkflow:
    """Fields of `Workflow`."""

    @strawberry.field(graphql_type=Connection[LoadRunType], description="Latest first.")
    @staticmethod
    async def load_runs(
        root: strawberry.Parent[Workflow], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[LoadRun]:
        cursors = Cursors(kind="load runs", scope=root.id)
        found = await load_runs.page(info.context, root.id, cursors.page(first, after, None, None))
        return cursors.listed(found, domain_load_runs.place)


@strawberry.input(name="LoadTestInput", description="Nothing acts outside unless it is named in effects.")
class LoadTestInput:
    pins: list[PinInput] = strawberry.field(default_factory=list[PinInput])
    effects: list[str] = strawberry.field(default_factory=list[str], description="The nodes that may act outside.")


@strawberry.input
class LoadRunStartInput:
    workflow_id: strawberry.ID
    count: int = strawberry.field(description="At most 10,000.")
    concurrency: int = strawberry.field(
        default=DEFAULT_CONCURRENCY, description="How many are under way at once at most, 1 to 200."
    )
    rate: float | None = strawberry.field(
        default=None, description="How many begin per second at most; else the next begins when one is over."
    )
    input: JSON | None = None
    variables: JSON | None = strawberry.field(default=None, description="Over the workflow's defaults.")
    version: int | None = strawberry.field(default=None, description="Instead of the draft.")
    timeout: float | None = strawberry.field(
        default=None, description="Seconds that each may take, should the workflow allow more."
    )
    test: LoadTestInput | None = None

    def new(self) -> NewLoadRun:
        """Raises InvalidId, Invalid."""
        test = self.test or LoadTestInput()
        return NewLoadRun(
            workflow_id=WorkflowId(read_id("workflow", self.workflow_id, "workflowId")),
            size=LoadSize(count=self.count, concurrency=self.concurrency, rate=self.rate),
            input=self.input,
            variables=object_or_refuse(self.variables, "variables"),
            version=self.version,
            pins=pins_of(test.pins, "test"),
            effects=frozenset(test.effects),
            timeout=self.timeout,
        )


@strawberry.type
class LoadRunPayload(Payload):
    @strawberry.field(graphql_type=LoadRunType | None)
    @staticmethod
    def load_run(root: strawberry.Parent[Answer[Any]]) -> LoadRun | None:
        return root.value


@strawberry.type
class LoadRunStartPayload(LoadRunPayload):
    pass


@strawberry.type
class LoadRunCancelPayload(LoadRunPayload):
    pass


@strawberry.type
class LoadRunQuery:
    @strawberry.field(graphql_type=LoadRunType | None)
    async def load_run(self, info: Info, id: strawberry.ID) -> LoadRun | None:
        return await load_runs.by_id(info.context, _id(id))


@strawberry.type
class LoadRunMutation:
    @strawberry.mutation(
        graphql_type=LoadRunStartPayload,
        description="Answers when it is durable; its executions have the lowest priority of the tenant.",
    )
    async def load_run_start(self, info: Info, input: LoadRunStartInput) -> Answer[LoadRun]:
        async def work() -> LoadRun:
            return await load_runs.start(info.context, input.new())

        return await answer(work())

    @strawberry.mutation(
        graphql_type=LoadRunCancelPayload, description="No more begins; what is under way is cancelled."
    )
    async def load_run_cancel(self, info: Info, id: strawberry.ID) -> Answer[LoadRun]:
        async def work() -> LoadRun:
            return await load_runs.cancel(info.context, _id(id))

        return await answer(work())


def _spread(spread: Spread) -> LoadSpreadType:
    return LoadSpreadType(p50_ms=spread.p50, p95_ms=spread.p95, p99_ms=spread.p99, max_ms=spread.max)


def _id(text: strawberry.ID) -> LoadRunId:
    return LoadRunId(decode("loadrun", text))
