"""What the API can do to executions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import strawberry

from domain.errors import Invalid, Refusal
from domain.executions import Execution
from domain.executions_prepare import Deduplicate, StartRequest
from domain.executions_retry import RetryRequest
from domain.ids import ExecutionId, WorkflowId, decode
from resolvers import executions
from schema.errors import Answer, Payload, Told, answer
from schema.executions import ExecutionType
from schema.identifiers import read_id
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.quick_inputs import quick
from schema.scalars import JSON
from schema.trials import ExecutionTestInput

DEFAULT_WAIT = 30.0

IdempotencyKey = Annotated[
    str | None,
    strawberry.argument(description="The same key again does nothing more and gives the same answer."),
]


@strawberry.enum(description="ASYNC answers when the start is durable, SYNC when the execution is over.")
class ExecutionMode(StrEnum):
    ASYNC = "async"
    SYNC = "sync"


@strawberry.input(description="Starts under one key are one start, as long as the window lasts.")
class DeduplicateInput:
    key: str
    window: float = strawberry.field(description="Seconds from the start that begins; at most seven days.")


@quick
@strawberry.input
class ExecutionStartInput:
    workflow_id: strawberry.ID
    input: JSON | None = None
    variables: JSON | None = strawberry.field(default=None, description="Over the workflow's defaults.")
    mode: ExecutionMode = ExecutionMode.ASYNC
    timeout: float | None = strawberry.field(default=None, description="Seconds a SYNC start waits: 30, at most 300.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the same execution, for seven days."
    )
    priority: int = strawberry.field(default=0, description="-100 to 100; higher begins earlier.")
    version: int | None = strawberry.field(default=None, description="Instead of the active one.")
    draft: bool = strawberry.field(default=False, description="The draft as it is now.")
    deduplicate: DeduplicateInput | None = strawberry.field(
        default=None, description="Another start under the key gives the same execution, whatever its input."
    )
    start_at: datetime | None = strawberry.field(
        default=None, description="Begins then, to the second; a signal sent before begins it earlier."
    )
    environment: str | None = strawberry.field(
        default=None, description="Runs what is active there, with its values; the default environment when left out."
    )
    test: ExecutionTestInput | None = strawberry.field(
        default=None, description="Breakpoints, pinned outputs, effects switched off, and what is to come of it."
    )

    def request(self) -> StartRequest:
        """Raises InvalidId, Invalid."""
        return StartRequest(
            workflow_id=WorkflowId(read_id("workflow", self.workflow_id, "workflowId")),
            input=self.input,
            variables=object_or_refuse(self.variables, "variables"),
            idempotency_key=self.idempotency_key,
            priority=self.priority,
            version=self.version,
            draft=self.draft,
            deduplicate=Deduplicate(key=given.key, window=given.window) if (given := self.deduplicate) else None,
            start_at=self.start_at,
            environment=self.environment,
            trial=self.test.trial() if self.test is not None else None,
        )


@strawberry.type
class ExecutionPayload(Payload):
    @strawberry.field(graphql_type=ExecutionType | None)
    @staticmethod
    def execution(root: strawberry.Parent[Answer[Any]]) -> Execution | None:
        return root.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Answer[Execution]):
    timed_out: bool = False


@strawberry.type
class ExecutionStartPayload(ExecutionPayload):
    timed_out: bool = strawberry.field(description="A SYNC start answered before the execution was over.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedMany:
    executions: Sequence[Execution | None]
    errors: Sequence[Told]


@strawberry.type
class ExecutionStartManyPayload(Payload):
    executions: list[ExecutionType | None] = strawberry.field(
        description="One for each input, null where it was refused; the error's path is inputs, index, …"
    )


@strawberry.type
class ExecutionCancelPayload(ExecutionPayload):
    pass


@strawberry.type
class ExecutionPausePayload(ExecutionPayload):
    pass


@strawberry.type
class ExecutionResumePayload(ExecutionPayload):
    pass


@strawberry.type
class ExecutionRetryPayload(ExecutionPayload):
    pass


@strawberry.type
class StepSkipPayload(ExecutionPayload):
    pass


@strawberry.type
class ExecutionSetVariablePayload(ExecutionPayload):
    pass


@strawberry.type
class SignalSendPayload(ExecutionPayload):
    pass


@strawberry.type
class ExecutionMutation:
    @strawberry.mutation(graphql_type=ExecutionStartPayload)
    async def execution_start(self, info: Info, input: ExecutionStartInput) -> Started:
        async def work() -> tuple[Execution, bool]:
            request = input.request()
            if input.mode is ExecutionMode.ASYNC:
                return await executions.start(info.context, request), False
            wait = DEFAULT_WAIT if input.timeout is None else input.timeout
            return await executions.start_and_wait(info.context, request, wait)

        done = await answer(work())
        if done.value is None:
            return Started(errors=done.errors)
        return Started(value=done.value[0], timed_out=done.value[1])

    @strawberry.mutation(graphql_type=ExecutionStartManyPayload, description="Up to 1,000 ASYNC starts in one commit.")
    async def execution_start_many(self, info: Info, inputs: list[ExecutionStartInput]) -> StartedMany:
        async def work() -> Sequence[Execution | Refusal]:
            return await start_many(info, inputs)

        done = await answer(work())
        if done.value is None:
            return StartedMany(executions=[], errors=done.errors)
        for index, each in enumerate(done.value):
            if isinstance(each, Refusal):
                each.path = ("inputs", str(index), *each.path)
        return StartedMany(
            executions=[None if isinstance(each, Refusal) else each for each in done.value],
            errors=[Told(each) for each in done.value if isinstance(each, Refusal)],
        )

    @strawberry.mutation(graphql_type=ExecutionCancelPayload, description="Answers when the wish is durable.")
    async def execution_cancel(
        self, info: Info, id: strawberry.ID, reason: str | None = None, key: IdempotencyKey = None
    ) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.cancel(info.context, _id(id), reason, key)

        return await answer(work())

    @strawberry.mutation(graphql_type=ExecutionPausePayload, description="What runs finishes, nothing new begins.")
    async def execution_pause(self, info: Info, id: strawberry.ID, key: IdempotencyKey = None) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.pause(info.context, _id(id), key)

        return await answer(work())

    @strawberry.mutation(graphql_type=ExecutionResumePayload, description="Takes back a pause.")
    async def execution_resume(self, info: Info, id: strawberry.ID, key: IdempotencyKey = None) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.resume(info.context, _id(id), key)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=ExecutionRetryPayload,
        description="A new execution: from the failed step, from a path, or whole.",
    )
    async def execution_retry(
        self,
        info: Info,
        id: strawberry.ID,
        from_path: str | None = None,
        input: JSON | None = strawberry.UNSET,
        whole: bool = False,
        key: IdempotencyKey = None,
    ) -> Answer[Execution]:
        edited = input is not strawberry.UNSET

        async def work() -> Execution:
            request = RetryRequest(
                execution_id=_id(id),
                from_path=from_path,
                whole=whole,
                input=input if edited else None,
                edited=edited,
                key=key,
            )
            return await executions.retry(info.context, request)

        return await answer(work())

    @strawberry.mutation(graphql_type=StepSkipPayload, description="The step is over with this output.")
    async def step_skip(
        self,
        info: Info,
        execution_id: strawberry.ID,
        path: str,
        output: JSON | None = None,
        key: IdempotencyKey = None,
    ) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.skip_step(info.context, _of(execution_id), path, output, key)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=ExecutionSetVariablePayload,
        description="Steps that begin or resume after it see the value; the variable must be one the execution has.",
    )
    async def execution_set_variable(
        self,
        info: Info,
        execution_id: strawberry.ID,
        name: str,
        value: JSON | None = None,
        key: IdempotencyKey = None,
    ) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.set_variable(info.context, _of(execution_id), name, value, key)

        return await answer(work())

    @strawberry.mutation(
        graphql_type=SignalSendPayload,
        description="Kept, first in first out, until a step waits for it; a transient one is lost when none does.",
    )
    async def signal_send(
        self,
        info: Info,
        execution_id: strawberry.ID,
        name: str,
        payload: JSON | None = None,
        transient: bool = False,
        key: IdempotencyKey = None,
    ) -> Answer[Execution]:
        async def work() -> Execution:
            return await executions.send_signal(info.context, _of(execution_id), name, payload, key, transient)

        return await answer(work())


async def start_many(info: Info, inputs: Sequence[ExecutionStartInput]) -> Sequence[Execution | Refusal]:
    """Each input's execution or refusal, in order; inputs that cannot be read are refused one by one too."""
    read = [_request(each) for each in inputs]
    wanted = [each for each in read if isinstance(each, StartRequest)]
    begun = iter(await executions.start_many(info.context, wanted))
    return [next(begun) if isinstance(each, StartRequest) else each for each in read]


def _request(given: ExecutionStartInput) -> StartRequest | Refusal:
    try:
        if given.mode is ExecutionMode.SYNC:
            raise Invalid("Many starts at once do not wait", path=("mode",), remedy="Use ASYNC, and subscribe.")
        return given.request()
    except Refusal as refusal:
        return refusal


def _id(text: strawberry.ID) -> ExecutionId:
    return ExecutionId(decode("execution", text))


def _of(text: strawberry.ID) -> ExecutionId:
    return ExecutionId(read_id("execution", text, "executionId"))
