"""What the API can do with test cases."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import strawberry

from domain.ids import TestCaseId, WorkflowId, decode
from domain.testcases import DEFAULT_TIMEOUT, Case, SavedCase
from domain.testcases_run import Chosen, TestRun
from domain.trials import Trial
from resolvers import testcases
from schema.enums import ExecutionStatus
from schema.errors import Answer, Payload, answer
from schema.identifiers import read_id
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.scalars import JSON
from schema.testcases import TestCaseType, TestRunType
from schema.trials import ExpectedOutputInput, PinInput, expected_of, pins_of

_ASSERTIONS = "Expressions over steps, vars, output, error, status: true at the end."
_EFFECTS = "The nodes that may act outside; all others only seem to."


@strawberry.input
class TestCaseCreateInput:
    workflow_id: strawberry.ID
    name: str = strawberry.field(description="Unique in the workflow.")
    description: str = ""
    input: JSON | None = None
    variables: JSON | None = strawberry.field(default=None, description="Over the workflow's defaults.")
    pins: list[PinInput] = strawberry.field(default_factory=list[PinInput])
    effects: list[str] = strawberry.field(default_factory=list[str], description=_EFFECTS)
    expected: list[ExpectedOutputInput] = strawberry.field(default_factory=list[ExpectedOutputInput])
    assertions: list[str] = strawberry.field(default_factory=list[str], description=_ASSERTIONS)
    status: ExecutionStatus = strawberry.field(default=ExecutionStatus.COMPLETED, description="How it is to end.")
    timeout: float = strawberry.field(
        default=DEFAULT_TIMEOUT, description="Seconds from its start after which it has failed; at most a day."
    )

    def case(self) -> Case:
        """Raises Invalid."""
        trial = Trial(
            pins=pins_of(self.pins),
            effects=frozenset(self.effects),
            expected=expected_of(self.expected),
            assertions=tuple(self.assertions),
            status=self.status,
        )
        return Case(
            name=self.name.strip(),
            description=self.description,
            input=self.input,
            variables=object_or_refuse(self.variables, "variables"),
            trial=trial,
            timeout=self.timeout,
        )


@strawberry.input(description="What is left out stays as it is; what is given replaces all of it.")
class TestCaseUpdateInput:
    name: str | None = None
    description: str | None = None
    input: JSON | None = strawberry.UNSET
    variables: JSON | None = None
    pins: list[PinInput] | None = None
    effects: list[str] | None = None
    expected: list[ExpectedOutputInput] | None = None
    assertions: list[str] | None = None
    status: ExecutionStatus | None = None
    timeout: float | None = None

    def change(self) -> Callable[[Case], Case]:
        """Raises Invalid."""
        trial: dict[str, Any] = {
            "pins": pins_of(self.pins) if self.pins is not None else None,
            "effects": frozenset(self.effects) if self.effects is not None else None,
            "expected": expected_of(self.expected) if self.expected is not None else None,
            "assertions": tuple(self.assertions) if self.assertions is not None else None,
            "status": self.status,
        }
        fields: dict[str, Any] = {
            "name": self.name.strip() if self.name is not None else None,
            "description": self.description,
            "variables": object_or_refuse(self.variables, "variables") if self.variables is not None else None,
            "timeout": self.timeout,
        }
        given = {} if self.input is strawberry.UNSET else {"input": self.input}

        def changed(case: Case) -> Case:
            return replace(case, trial=replace(case.trial, **_given(trial)), **_given(fields), **given)

        return changed


@strawberry.type
class TestCasePayload(Payload):
    @strawberry.field(graphql_type=TestCaseType | None)
    @staticmethod
    def test_case(root: strawberry.Parent[Answer[Any]]) -> SavedCase | None:
        return root.value


@strawberry.type
class TestCaseCreatePayload(TestCasePayload):
    pass


@strawberry.type
class TestCaseUpdatePayload(TestCasePayload):
    pass


@strawberry.type
class TestCaseDeletePayload(TestCasePayload):
    pass


@strawberry.type
class TestCaseRunPayload(Payload):
    @strawberry.field(graphql_type=TestRunType | None, description="As they began; testRun tells how they go on.")
    @staticmethod
    def test_run(root: strawberry.Parent[Answer[TestRun]]) -> TestRun | None:
        return root.value


@strawberry.type
class TestCaseMutation:
    @strawberry.mutation(
        name="testCaseCreate",
        graphql_type=TestCaseCreatePayload,
        description="Checked against the draft as it is now.",
    )
    async def case_create(self, info: Info, input: TestCaseCreateInput) -> Answer[SavedCase]:
        async def work() -> SavedCase:
            workflow_id = WorkflowId(read_id("workflow", input.workflow_id, "workflowId"))
            return await testcases.create(info.context, workflow_id, input.case())

        return await answer(work())

    @strawberry.mutation(
        name="testCaseUpdate",
        graphql_type=TestCaseUpdatePayload,
        description="Checked against the draft as it is now.",
    )
    async def case_update(
        self, info: Info, id: strawberry.ID, input: TestCaseUpdateInput, expected_revision: int | None = None
    ) -> Answer[SavedCase]:
        async def work() -> SavedCase:
            return await testcases.update(info.context, _id(id), input.change(), expected_revision)

        return await answer(work())

    @strawberry.mutation(name="testCaseDelete", graphql_type=TestCaseDeletePayload, description="Its executions stay.")
    async def case_delete(
        self, info: Info, id: strawberry.ID, expected_revision: int | None = None
    ) -> Answer[SavedCase]:
        async def work() -> SavedCase:
            return await testcases.delete(info.context, _id(id), expected_revision)

        return await answer(work())

    @strawberry.mutation(
        name="testCaseRun",
        graphql_type=TestCaseRunPayload,
        description="One execution in test mode for each of these test cases, or for all of a workflow.",
    )
    async def case_run(
        self,
        info: Info,
        ids: list[strawberry.ID] | None = None,
        workflow_id: strawberry.ID | None = None,
        version: int | None = None,
    ) -> Answer[TestRun]:
        async def work() -> TestRun:
            of = workflow_id
            chosen = Chosen(
                ids=[TestCaseId(read_id("testcase", each, "ids")) for each in ids] if ids is not None else None,
                workflow_id=WorkflowId(read_id("workflow", of, "workflowId")) if of is not None else None,
            )
            return await testcases.run(info.context, chosen, version)

        return await answer(work())


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _id(text: strawberry.ID) -> TestCaseId:
    return TestCaseId(decode("testcase", text))
