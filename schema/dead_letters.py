"""Dead letters: failures that wait for somebody to replay or dismiss them, and what the API can do to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import strawberry

from domain import dead_letters as domain_dead_letters
from domain.dead_letters import DeadLetter, DeadLetterFilter, DeadLetterState
from domain.errors import Refusal
from domain.executions import Execution
from domain.ids import ExecutionId, WorkflowId, decode
from domain.storable import checked_text
from resolvers import dead_letters, executions
from schema.errors import Answer, Payload, Told, answer
from schema.identifiers import read_id
from schema.info import Info
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.executions import ExecutionType

LazyExecution = Annotated["ExecutionType", strawberry.lazy("schema.executions")]
V = TypeVar("V")
MAX_CODE = 1_000

strawberry.enum(DeadLetterState, description="What became of a dead letter.")


@strawberry.type(name="DeadLetter", description="An execution that failed, was begun by no other one, and is no draft.")
class DeadLetterType:
    state: DeadLetterState
    failed_at: datetime
    error: JSON | None = strawberry.field(description="Why it failed: {code, message, …}")
    dismissed_at: datetime | None
    dismissed_by: str | None = strawberry.field(description="The id of the user or key that did.")
    reason: str | None = strawberry.field(description="Why it was dismissed.")

    @strawberry.field(graphql_type=LazyExecution | None, description="The execution itself.")
    @staticmethod
    async def execution(root: strawberry.Parent[DeadLetter], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.id)

    @strawberry.field(graphql_type=LazyExecution | None, description="Its latest retry.")
    @staticmethod
    async def replay(root: strawberry.Parent[DeadLetter], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.replay_id) if root.replay_id is not None else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, DeadLetter)


@strawberry.input(name="DeadLetterFilter", description="Every part given must hold.")
class DeadLetterFilterInput:
    workflow_id: strawberry.ID | None = None
    code: list[str] | None = strawberry.field(default=None, description="The codes of the errors.")
    since: datetime | None = strawberry.field(default=None, description="Failed then or later.")
    until: datetime | None = strawberry.field(default=None, description="Failed earlier.")

    def chosen(self) -> DeadLetterFilter:
        """Raises InvalidId, Invalid for codes that nothing stored can hold."""
        for each in self.code or ():
            checked_text(each, "filter", "code", most=MAX_CODE)
        of = self.workflow_id
        return DeadLetterFilter(
            workflow_id=WorkflowId(read_id("workflow", of, "filter", "workflowId")) if of is not None else None,
            code=tuple(self.code or ()),
            since=self.since,
            until=self.until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Each(Generic[V]):
    """One value or refusal for each id."""

    values: Sequence[V | None]
    errors: Sequence[Told]


@strawberry.type
class DeadLetterReplayPayload(Payload):
    @strawberry.field(
        graphql_type=list[LazyExecution | None],
        description="The retries, one for each id, null where it was refused; the error's path is ids, index, …",
    )
    @staticmethod
    def executions(root: strawberry.Parent[Each[Execution]]) -> Sequence[Execution | None]:
        return root.values


@strawberry.type
class DeadLetterDismissPayload(Payload):
    @strawberry.field(
        graphql_type=list[DeadLetterType | None],
        description="One for each id, null where it was refused; the error's path is ids, index, …",
    )
    @staticmethod
    def dead_letters(root: strawberry.Parent[Each[DeadLetter]]) -> Sequence[DeadLetter | None]:
        return root.values


@strawberry.type
class DeadLetterPurgePayload(Payload):
    @strawberry.field(description="How many were dismissed.")
    @staticmethod
    def count(root: strawberry.Parent[Answer[int]]) -> int | None:
        return root.value


@strawberry.type
class DeadLetterQuery:
    @strawberry.field(
        graphql_type=Connection[DeadLetterType], description="Those still OPEN, the execution begun last first."
    )
    async def dead_letters(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: DeadLetterFilterInput | None = None,
    ) -> Listed[DeadLetter]:
        chosen = filter.chosen() if filter else DeadLetterFilter()
        cursors = Cursors(kind="deadLetters", scope=chosen)
        found = await dead_letters.page(info.context, chosen, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_dead_letters.place, partial(dead_letters.count, info.context, chosen))


@strawberry.type
class DeadLetterMutation:
    @strawberry.mutation(
        graphql_type=DeadLetterReplayPayload,
        description="Retries of up to 100, each from the step that failed; again, the same retries answer.",
    )
    async def dead_letter_replay(
        self, info: Info, ids: list[strawberry.ID], input: JSON | None = strawberry.UNSET
    ) -> Each[Execution]:
        edited = input is not strawberry.UNSET

        async def work() -> Sequence[Execution | Refusal]:
            return await dead_letters.replay(info.context, _ids(ids), edited, input if edited else None)

        return _each(await answer(work()))

    @strawberry.mutation(graphql_type=DeadLetterDismissPayload, description="Takes up to 100 out of the queue.")
    async def dead_letter_dismiss(
        self, info: Info, ids: list[strawberry.ID], reason: str | None = None
    ) -> Each[DeadLetter]:
        async def work() -> Sequence[DeadLetter | Refusal]:
            return await dead_letters.dismiss(info.context, _ids(ids), reason)

        return _each(await answer(work()))

    @strawberry.mutation(
        graphql_type=DeadLetterPurgePayload, description="Dismisses all of the filter; the executions stay."
    )
    async def dead_letter_purge(
        self, info: Info, filter: DeadLetterFilterInput, reason: str | None = None
    ) -> Answer[int]:
        async def work() -> int:
            return await dead_letters.purge(info.context, filter.chosen(), reason)

        return await answer(work())


def _each(done: Answer[Sequence[V | Refusal]]) -> Each[V]:
    if done.value is None:
        return Each(values=(), errors=done.errors)
    for index, found in enumerate(done.value):
        if isinstance(found, Refusal):
            found.path = ("ids", str(index), *(part for part in found.path if part != "id"))
    return Each(
        values=[None if isinstance(found, Refusal) else found for found in done.value],
        errors=[Told(found) for found in done.value if isinstance(found, Refusal)],
    )


def _ids(texts: Sequence[strawberry.ID]) -> Sequence[ExecutionId]:
    return [ExecutionId(decode("execution", text)) for text in texts]
