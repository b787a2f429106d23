"""What the API can do to tasks."""

from typing import Any

import strawberry

from domain.ids import TaskId, decode
from domain.tasks import Task
from domain.tasks_complete import Answer as TaskAnswer
from resolvers import tasks
from schema.enums import TaskDecision
from schema.errors import Answer, Payload, answer
from schema.info import Info
from schema.scalars import JSON
from schema.tasks import TaskType


@strawberry.input(description="Proof that whoever completes a task is who they are.")
class TaskSignatureInput:
    password: str = strawberry.field(description="The caller's own.")


@strawberry.type
class TaskPayload(Payload):
    @strawberry.field(graphql_type=TaskType | None)
    @staticmethod
    def task(root: strawberry.Parent[Answer[Any]]) -> Task | None:
        return root.value


@strawberry.type
class TaskCompletePayload(TaskPayload):
    pass


@strawberry.type
class TaskClaimPayload(TaskPayload):
    pass


@strawberry.type
class TaskUnclaimPayload(TaskPayload):
    pass


@strawberry.type
class TaskDelegatePayload(TaskPayload):
    pass


@strawberry.type
class TaskEscalatePayload(TaskPayload):
    pass


@strawberry.type
class TaskCommentPayload(TaskPayload):
    pass


@strawberry.type
class TaskMutation:
    @strawberry.mutation(
        graphql_type=TaskCompletePayload,
        description="Answers when the answer is durable; the execution goes on by itself. The first answer counts.",
    )
    async def task_complete(
        self,
        info: Info,
        id: strawberry.ID,
        output: JSON | None = None,
        decision: TaskDecision | None = None,
        comment: str | None = None,
        signature: TaskSignatureInput | None = None,
    ) -> Answer[Task]:
        async def work() -> Task:
            password = signature.password if signature else None
            given = TaskAnswer(decision=decision, output=output, comment=comment, password=password)
            return await tasks.complete(info.context, _id(id), given)

        return await answer(work())

    @strawberry.mutation(graphql_type=TaskClaimPayload, description="Takes the task from the other assignees.")
    async def task_claim(self, info: Info, id: strawberry.ID) -> Answer[Task]:
        async def work() -> Task:
            return await tasks.claim(info.context, _id(id))

        return await answer(work())

    @strawberry.mutation(graphql_type=TaskUnclaimPayload, description="Gives it back to all assignees.")
    async def task_unclaim(self, info: Info, id: strawberry.ID) -> Answer[Task]:
        async def work() -> Task:
            return await tasks.unclaim(info.context, _id(id))

        return await answer(work())

    @strawberry.mutation(
        graphql_type=TaskDelegatePayload, description="To a member's e-mail address or user id, and to nobody else."
    )
    async def task_delegate(self, info: Info, id: strawberry.ID, to: str, comment: str | None = None) -> Answer[Task]:
        async def work() -> Task:
            return await tasks.delegate(info.context, _id(id), to, comment)

        return await answer(work())

    @strawberry.mutation(graphql_type=TaskEscalatePayload, description="To escalateTo, before it is due.")
    async def task_escalate(self, info: Info, id: strawberry.ID, comment: str | None = None) -> Answer[Task]:
        async def work() -> Task:
            return await tasks.escalate(info.context, _id(id), comment)

        return await answer(work())

    @strawberry.mutation(graphql_type=TaskCommentPayload, description="A remark in its history.")
    async def task_comment(self, info: Info, id: strawberry.ID, text: str) -> Answer[Task]:
        async def work() -> Task:
            return await tasks.comment(info.context, _id(id), text)

        return await answer(work())


def _id(text: strawberry.ID) -> TaskId:
    return TaskId(decode("task", text))
