"""What the API can do to a test that has stopped."""

import strawberry

from domain.executions import Execution
from domain.ids import ExecutionId, decode
from resolvers import trials
from schema.enums import Mode
from schema.errors import Answer, answer
from schema.execution_mutations import ExecutionPayload
from schema.info import Info


@strawberry.type
class ExecutionContinuePayload(ExecutionPayload):
    pass


@strawberry.type
class TrialMutation:
    @strawberry.mutation(
        graphql_type=ExecutionContinuePayload,
        description="Goes on from a breakpoint: at this path, or wherever it is stopped; STEP stops at the next step.",
    )
    async def execution_continue(
        self, info: Info, id: strawberry.ID, mode: Mode = Mode.CONTINUE, path: str | None = None
    ) -> Answer[Execution]:
        async def work() -> Execution:
            return await trials.go_on(info.context, ExecutionId(decode("execution", id)), mode, path)

        return await answer(work())
