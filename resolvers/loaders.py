"""Data loaders: what the fields of one operation ask for by id, asked of each store once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Protocol, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.branches import Branch, BranchReader
from domain.connections import ConnectionReader, SavedConnection
from domain.dead_letters import DeadLetter, DeadLetterStore
from domain.engine.decide import fold
from domain.executions import Execution, ExecutionReader, LogReader
from domain.executions_plans import Plans
from domain.executions_read import Overview
from domain.ids import (
    BranchId,
    ConnectionId,
    ExecutionId,
    LoadRunId,
    PublishRequestId,
    SplitId,
    TaskId,
    TestCaseId,
    TriggerId,
    VersionId,
    WorkflowId,
)
from domain.limits import QueuePlace, Queues
from domain.load_runs import LoadRun, LoadRunStore
from domain.load_runs_report import LoadReport
from domain.promotions import Deployment, PromotionStore
from domain.publish_requests import PublishRequest, PublishRequestReader
from domain.publish_rules import PublishRule, PublishRules
from domain.splits import Split, SplitStore
from domain.statistics import Statistics, StatisticsReader, Window, statistics
from domain.tasks import Task, TaskReader
from domain.testcases import SavedCase, TestCaseReader
from domain.triggers import Trigger, TriggerStore
from domain.versions import Version, VersionHistory, VersionStore
from domain.workflows import Workflow, WorkflowReader


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


K = TypeVar("K", bound=UUID)
V = TypeVar("V", bound=_Identified)


class Loaders:
    """Fresh for each operation and each event of a subscription, so that nothing in them is ever stale.

    The stores are born with a tenant, and so is everything loaded here.
    """

    def __init__(
        self,
        *,
        workflows: WorkflowReader,
        versions: VersionStore,
        version_history: VersionHistory,
        branches: BranchReader,
        publish_rules: PublishRules,
        publish_requests: PublishRequestReader,
        executions: ExecutionReader,
        statistics: StatisticsReader,
        queues: Queues,
        dead_letters: DeadLetterStore,
        log: LogReader,
        triggers: TriggerStore,
        connections: ConnectionReader,
        tasks: TaskReader,
        promotions: PromotionStore,
        splits: SplitStore,
        testcases: TestCaseReader,
        load_runs: LoadRunStore,
        plans: Plans,
    ) -> None:
        self._workflows = workflows
        self._versions = versions
        self._version_history = version_history
        self._branches = branches
        self._publish_rules = publish_rules
        self._publish_requests = publish_requests
        self._executions = executions
        self._statistics = statistics
        self._queues = queues
        self._dead_letters = dead_letters
        self._log = log
        self._triggers = triggers
        self._connections = connections
        self._tasks = tasks
        self._promotions = promotions
        self._splits = splits
        self._testcases = testcases
        self._load_runs = load_runs
        self._plans = plans

    @cached_property
    def workflow(self) -> DataLoader[WorkflowId, Workflow | None]:
        return DataLoader(load_fn=_by_id(self._workflows.by_ids))

    @cached_property
    def version(self) -> DataLoader[VersionId, Version | None]:
        return DataLoader(load_fn=_by_id(self._versions.by_ids))

    @cached_property
    def version_number(self) -> DataLoader[tuple[WorkflowId, int], Version | None]:
        async def load(wanted: list[tuple[WorkflowId, int]]) -> list[Version | None]:
            found = await self._version_history.by_numbers(wanted)
            by_number = {(version.workflow_id, version.number): version for version in found}
            return [by_number.get(each) for each in wanted]

        return DataLoader(load_fn=load)

    @cached_property
    def branch(self) -> DataLoader[BranchId, Branch | None]:
        return DataLoader(load_fn=_by_id(self._branches.by_ids))

    @cached_property
    def publish_rule(self) -> DataLoader[WorkflowId, PublishRule]:
        async def load(ids: list[WorkflowId]) -> list[PublishRule]:
            found = await self._publish_rules.of_workflows(ids)
            return [found[each] for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def publish_request(self) -> DataLoader[PublishRequestId, PublishRequest | None]:
        return DataLoader(load_fn=_by_id(self._publish_requests.by_ids))

    @cached_property
    def open_publish_request(self) -> DataLoader[WorkflowId, PublishRequest | None]:
        async def load(ids: list[WorkflowId]) -> list[PublishRequest | None]:
            found = await self._publish_requests.open_of(ids)
            return [found.get(each) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def execution(self) -> DataLoader[ExecutionId, Execution | None]:
        return DataLoader(load_fn=_by_id(self._executions.by_ids))

    @cached_property
    def statistics(self) -> DataLoader[tuple[WorkflowId, Window], Statistics]:
        async def load(wanted: list[tuple[WorkflowId, Window]]) -> list[Statistics]:
            found = {
                window: await self._statistics.tallies([each for each, of in wanted if of == window], window)
                for window in {window for _, window in wanted}
            }
            return [statistics(window, found[window].get(each)) for each, window in wanted]

        return DataLoader(load_fn=load)

    @cached_property
    def queue_place(self) -> DataLoader[ExecutionId, QueuePlace | None]:
        async def load(ids: list[ExecutionId]) -> list[QueuePlace | None]:
            found = await self._queues.places(ids)
            return [found.get(each) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def dead_letter(self) -> DataLoader[ExecutionId, DeadLetter | None]:
        return DataLoader(load_fn=_by_id(self._dead_letters.by_ids))

    @cached_property
    def trigger(self) -> DataLoader[TriggerId, Trigger | None]:
        return DataLoader(load_fn=_by_id(self._triggers.by_ids))

    @cached_property
    def connection(self) -> DataLoader[ConnectionId, SavedConnection | None]:
        return DataLoader(load_fn=_by_id(self._connections.by_ids))

    @cached_property
    def triggers_of(self) -> DataLoader[WorkflowId, Sequence[Trigger]]:
        async def load(ids: list[WorkflowId]) -> list[Sequence[Trigger]]:
            found = await self._triggers.of_workflows(ids)
            return [found.get(each, ()) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def deployments_of(self) -> DataLoader[WorkflowId, Sequence[Deployment]]:
        async def load(ids: list[WorkflowId]) -> list[Sequence[Deployment]]:
            found = await self._promotions.active(ids)
            return [found.get(each, ()) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def split(self) -> DataLoader[SplitId, Split | None]:
        return DataLoader(load_fn=_by_id(self._splits.by_ids))

    @cached_property
    def task(self) -> DataLoader[TaskId, Task | None]:
        return DataLoader(load_fn=_by_id(self._tasks.by_ids))

    @cached_property
    def testcase(self) -> DataLoader[TestCaseId, SavedCase | None]:
        return DataLoader(load_fn=_by_id(self._testcases.by_ids))

    @cached_property
    def last_trial(self) -> DataLoader[TestCaseId, ExecutionId | None]:
        async def load(ids: list[TestCaseId]) -> list[ExecutionId | None]:
            found = await self._testcases.last_executions(ids)
            return [found.get(each) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def load_run(self) -> DataLoader[LoadRunId, LoadRun | None]:
        return DataLoader(load_fn=_by_id(self._load_runs.by_ids))

    @cached_property
    def load_report(self) -> DataLoader[LoadRunId, LoadReport | None]:
        async def load(ids: list[LoadRunId]) -> list[LoadReport | None]:
            runs = [run for run in await self.load_run.load_many(ids) if run is not None]
            found = await self._load_runs.reports(runs)
            return [found.get(each) for each in ids]

        return DataLoader(load_fn=load)

    @cached_property
    def overview(self) -> DataLoader[ExecutionId, Overview | None]:
        """The folded log of an execution; None for one that is not there."""
        return DataLoader(load_fn=self._overviews)

    async def overview_until(self, execution_id: ExecutionId, seq: int) -> Overview | None:
        """The log folded up to and with `seq`."""
        execution = await self.execution.load(execution_id)
        version = await self.version.load(execution.version_id) if execution is not None else None
        if version is None:
            return None
        events = (await self._log.whole([execution_id])).get(execution_id, ())
        plan = self._plans.of(version)
        state = fold(plan, [event for event in events if event.seq <= seq])
        return Overview(execution_id=execution_id, plan=plan, state=state)

    async def _overviews(self, ids: list[ExecutionId]) -> list[Overview | None]:
        logs = await self._log.whole(ids)
        executions = await self.execution.load_many(ids)
        versions = await self.version.load_many([found.version_id for found in executions if found is not None])
        by_id: Mapping[VersionId, Version] = {found.id: found for found in versions if found is not None}
        overviews: list[Overview | None] = []
        for execution in executions:
            version = by_id.get(execution.version_id) if execution is not None else None
            if execution is None or version is None:
                overviews.append(None)
                continue
            plan = self._plans.of(version)
            state = fold(plan, logs.get(execution.id, ()), keeps=True)
            overviews.append(Overview(execution_id=execution.id, plan=plan, state=state))
        return overviews


def _by_id(
    by_ids: Callable[[Sequence[K]], Awaitable[Sequence[V]]],
) -> Callable[[list[K]], Awaitable[list[V | None]]]:
    async def load(ids: list[K]) -> list[V | None]:
        found: Mapping[UUID, V] = {each.id: each for each in await by_ids(ids)}
        return [found.get(each) for each in ids]

    return load
