"""Test cases and what they have come to, as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import testcases as domain_testcases
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.ids import ExecutionId, TestCaseId, decode
from domain.testcases import SavedCase
from domain.testcases_run import CaseResult, TestRun
from domain.trials import Pin
from domain.trials_verdict import Verdict
from domain.workflows import Workflow
from resolvers import testcases, workflows
from schema.enums import ExecutionStatus
from schema.executions import ExecutionType, listed_executions
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON
from schema.trials import ExpectedOutput, Pinned, PinType, TestVerdictType

if TYPE_CHECKING:
    from schema.workflows import WorkflowType

LazyWorkflow = Annotated["WorkflowType", strawberry.lazy("schema.workflows")]
LazyTestCase = Annotated["TestCaseType", strawberry.lazy("schema.testcases")]


@strawberry.type(name="TestCaseResult", description="What one run of a test case came to.")
class TestCaseResultType:
    @strawberry.field(graphql_type=LazyTestCase | None, description="Null once it is deleted.")
    @staticmethod
    def test_case(root: strawberry.Parent[CaseResult]) -> SavedCase | None:
        return root.case

    @strawberry.field(graphql_type=ExecutionType | None, description="Null when it could not begin.")
    @staticmethod
    def execution(root: strawberry.Parent[CaseResult]) -> Execution | None:
        return root.execution

    @strawberry.field(graphql_type=TestVerdictType | None, description="Null until it is over.")
    @staticmethod
    def verdict(root: strawberry.Parent[CaseResult]) -> Verdict | None:
        return root.verdict

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, CaseResult)


@strawberry.type(name="TestRun", description="Test cases that were run together; counted from the executions' logs.")
class TestRunType:
    passed: int
    failed: int = strawberry.field(description="Those that could not begin are among them.")
    running: int

    @strawberry.field(graphql_type=list[TestCaseResultType])
    @staticmethod
    def results(root: strawberry.Parent[TestRun]) -> Sequence[CaseResult]:
        return root.results

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, TestRun)


@strawberry.type(name="TestCase", description="What a workflow is tried with, and what is to come of it.")
class TestCaseType(Node):
    revision: int = strawberry.field(description="Counts changes; send it as expectedRevision.")
    created_at: datetime
    created_by: str = strawberry.field(description="The id of the user or API key.")
    updated_at: datetime
    updated_by: str = strawberry.field(description="The id of the user or API key.")

    @strawberry.field(description="Unique in the workflow.")
    @staticmethod
    def name(root: strawberry.Parent[SavedCase]) -> str:
        return root.case.name

    @strawberry.field
    @staticmethod
    def description(root: strawberry.Parent[SavedCase]) -> str:
        return root.case.description

    @strawberry.field
    @staticmethod
    def input(root: strawberry.Parent[SavedCase]) -> JSON | None:
        return root.case.input

    @strawberry.field(description="Over the workflow's defaults.")
    @staticmethod
    def variables(root: strawberry.Parent[SavedCase]) -> JSON:
        return root.case.variables

    @strawberry.field(graphql_type=list[PinType])
    @staticmethod
    def pins(root: strawberry.Parent[SavedCase]) -> Sequence[Pinned]:
        return _pinned(root.case.trial.pins)

    @strawberry.field(description="The nodes that may act outside.")
    @staticmethod
    def effects(root: strawberry.Parent[SavedCase]) -> list[str]:
        return sorted(root.case.trial.effects)

    @strawberry.field
    @staticmethod
    def expected(root: strawberry.Parent[SavedCase]) -> list[ExpectedOutput]:
        return [ExpectedOutput(node=node, output=output) for node, output in root.case.trial.expected.items()]

    @strawberry.field
    @staticmethod
    def assertions(root: strawberry.Parent[SavedCase]) -> list[str]:
        return list(root.case.trial.assertions)

    @strawberry.field(description="How it is to end.")
    @staticmethod
    def status(root: strawberry.Parent[SavedCase]) -> ExecutionStatus:
        return root.case.trial.status

    @strawberry.field(description="Seconds from its start after which it has failed.")
    @staticmethod
    def timeout(root: strawberry.Parent[SavedCase]) -> float:
        return root.case.timeout

    @strawberry.field(graphql_type=LazyWorkflow | None)
    @staticmethod
    async def workflow(root: strawberry.Parent[SavedCase], info: Info) -> Workflow | None:
        return await workflows.by_id(info.context, root.workflow_id)

    @strawberry.field(graphql_type=TestCaseResultType | None, description="Null before the first.")
    @staticmethod
    async def last_run(root: strawberry.Parent[SavedCase], info: Info) -> CaseResult | None:
        return await testcases.last_run(info.context, root)

    @strawberry.field(graphql_type=Connection[ExecutionType], description="Its runs, latest first.")
    @staticmethod
    async def executions(
        root: strawberry.Parent[SavedCase], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[Execution]:
        chosen = ExecutionFilter(trial_of=root.id)
        return await listed_executions(info, chosen, ExecutionOrder(), first, after, None, None)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, SavedCase)


@strawberry.type
class TestedWorkflow:
    """Fields of `Workflow`."""

    @strawberry.field(
        name="testCases", graphql_type=Connection[TestCaseType], description="In the order they were made."
    )
    @staticmethod
    async def cases(
        root: strawberry.Parent[Workflow], info: Info, first: int | None = None, after: str | None = None
    ) -> Listed[SavedCase]:
        cursors = Cursors(kind="test cases", scope=root.id)
        found = await testcases.page(info.context, root.id, cursors.page(first, after, None, None))
        return cursors.listed(found, domain_testcases.place, partial(testcases.count, info.context, root.id))


@strawberry.type
class TestCaseQuery:
    @strawberry.field(graphql_type=TestCaseType | None)
    async def test_case(self, info: Info, id: strawberry.ID) -> SavedCase | None:
        return await testcases.by_id(info.context, TestCaseId(decode("testcase", id)))

    @strawberry.field(graphql_type=TestRunType, description="What executions of test cases have come to by now.")
    async def test_run(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Of executions, at most 200.")],
    ) -> TestRun:
        return await testcases.results(
            info.context, [ExecutionId(read_id("execution", each, "ids")) for each in dict.fromkeys(ids)]
        )


def _pinned(pins: Mapping[str, Pin]) -> Sequence[Pinned]:
    return [Pinned(node=node, pin=pin) for node, pin in pins.items()]
