"""Splits of a workflow's starts between two versions, as the API shows, begins, changes and ends them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.environments import DEFAULT
from domain.ids import SplitId, VersionId, WorkflowId, decode
from domain.splits import Measured, Split
from domain.splits_run import SplitRequest
from domain.versions import Version
from domain.workflows import Workflow
from resolvers import splits, workflows
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node

if TYPE_CHECKING:
    from schema.workflows import VersionType, WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyVersion = Annotated["VersionType", strawberry.lazy("schema.workflows")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedError:
    code: str
    count: int


@strawberry.type(name="ErrorCount", description="How many executions failed by an error.")
class ErrorCountType:
    code: str
    count: int

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, CountedError)


@strawberry.type(name="SplitSide", description="What came of the starts that a split has given to one version.")
class SplitSideType:
    executions: int
    running: int = strawberry.field(description="Not over yet.")
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = strawberry.field(description="0 to 1, of those that completed or failed.")

    @strawberry.field(graphql_type=LazyVersion | None)
    @staticmethod
    async def version(root: strawberry.Parent[Measured], info: Info) -> Version | None:
        return await workflows.version(info.context, root.version_id)

    @strawberry.field(description="Half of those that completed took no longer.")
    @staticmethod
    def p50_duration_ms(root: strawberry.Parent[Measured]) -> float | None:
        return root.p50_ms

    @strawberry.field(description="19 of 20 that completed took no longer.")
    @staticmethod
    def p95_duration_ms(root: strawberry.Parent[Measured]) -> float | None:
        return root.p95_ms

    @strawberry.field(graphql_type=list[ErrorCountType], description="The most frequent first.")
    @staticmethod
    def errors(root: strawberry.Parent[Measured]) -> Sequence[CountedError]:
        return [CountedError(code=code, count=count) for code, count in root.errors.items()]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Measured)


@strawberry.type(name="Split", description="Two versions of a workflow share its starts in one environment.")
class SplitType(Node):
    environment: str
    percent: int = strawberry.field(description="Of the starts, for the candidate.")
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    ended_by: str | None = strawberry.field(description="Null when another version becoming active has ended it.")

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[Split], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="The one that was active when it began.")
    @staticmethod
    async def baseline(root: strawberry.Parent[Split], info: Info) -> Version | None:
        return await workflows.version(info.context, root.baseline_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="The one that is tried.")
    @staticmethod
    async def candidate(root: strawberry.Parent[Split], info: Info) -> Version | None:
        return await workflows.version(info.context, root.candidate_id)

    @strawberry.field(graphql_type=LazyVersion | None, description="The one that was active when it ended.")
    @staticmethod
    async def promoted(root: strawberry.Parent[Split], info: Info) -> Version | None:
        return await workflows.version(info.context, root.promoted_id) if root.promoted_id is not None else None

    @strawberry.field(graphql_type=list[SplitSideType], description="Since it began: the baseline, then the candidate.")
    @staticmethod
    async def comparison(root: strawberry.Parent[Split], info: Info) -> Sequence[Measured]:
        found = {side.version_id: side for side in await splits.measured(info.context, root)}
        return [_side(found, version) for version in (root.baseline_id, root.candidate_id)]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Split)


def _side(found: dict[VersionId, Measured], version: VersionId) -> Measured:
    return found.get(version) or Measured(version_id=version)


@strawberry.input
class SplitStartInput:
    workflow_id: strawberry.ID
    version: int = strawberry.field(description="The candidate, beside the version that is active.")
    percent: int = strawberry.field(description="Of the starts, for the candidate: 0 to 100.")
    environment: str = DEFAULT

    def request(self) -> SplitRequest:
        """Raises InvalidId."""
        return SplitRequest(
            workflow_id=WorkflowId(read_id("workflow", self.workflow_id, "workflowId")),
            version=self.version,
            percent=self.percent,
            environment=self.environment,
        )


@strawberry.type
class SplitPayload(Payload):
    @strawberry.field(graphql_type=SplitType | None)
    @staticmethod
    def split(root: strawberry.Parent[Answer[Any]]) -> Split | None:
        return root.value


@strawberry.type
class SplitStartPayload(SplitPayload):
    pass


@strawberry.type
class SplitChangePayload(SplitPayload):
    pass


@strawberry.type
class SplitEndPayload(SplitPayload):
    pass


@strawberry.type
class SplitQuery:
    @strawberry.field(graphql_type=SplitType | None)
    async def split(self, info: Info, id: strawberry.ID) -> Split | None:
        return await splits.by_id(info.context, _id(id))


@strawberry.type
class SplitMutation:
    @strawberry.mutation(
        graphql_type=SplitStartPayload, description="From now on each start chooses one of two versions by its key."
    )
    async def split_start(self, info: Info, input: SplitStartInput) -> Answer[Split]:
        async def work() -> Split:
            return await splits.begin(info.context, input.request())

        return await answer(work())

    @strawberry.mutation(graphql_type=SplitChangePayload, description="Another share, for starts from now on.")
    async def split_change(self, info: Info, id: strawberry.ID, percent: int) -> Answer[Split]:
        async def work() -> Split:
            return await splits.change(info.context, _id(id), percent)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=SplitEndPayload, description="One of its two versions becomes, or stays, the active one."
    )
    async def split_end(self, info: Info, id: strawberry.ID, version: int, note: str = "") -> Answer[Split]:
        async def work() -> Split:
            return await splits.end(info.context, _id(id), version, note)

        return await answer(work())


def _id(text: strawberry.ID) -> SplitId:
    return SplitId(decode("split", text))
