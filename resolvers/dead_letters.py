"""What callers may do with dead letters: authorise, call the use case, give back its value."""

from collections.abc import Sequence

from domain import dead_letters
from domain.access import Permission
from domain.dead_letters import DeadLetter, DeadLetterFilter
from domain.errors import Refusal
from domain.executions import Execution
from domain.ids import ExecutionId
from domain.json import JSON
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext


async def of_execution(context: RequestContext, execution_id: ExecutionId) -> DeadLetter | None:
    return await allowed(context, Permission.EXECUTION_READ).loaders.dead_letter.load(execution_id)


async def page(context: RequestContext, chosen: DeadLetterFilter, page: Page) -> Slice[DeadLetter]:
    return await allowed(context, Permission.EXECUTION_READ).stores.dead_letters.page(chosen, page)


async def count(context: RequestContext, chosen: DeadLetterFilter) -> int:
    return await allowed(context, Permission.EXECUTION_READ).stores.dead_letters.count(chosen)


async def replay(
    context: RequestContext, ids: Sequence[ExecutionId], edited: bool, input: JSON
) -> Sequence[Execution | Refusal]:
    given = allowed(context, Permission.EXECUTION_START)
    return await dead_letters.replay(ids, edited, input, by=given.principal, given=given.replaying, now=given.now)


async def dismiss(
    context: RequestContext, ids: Sequence[ExecutionId], reason: str | None
) -> Sequence[DeadLetter | Refusal]:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await dead_letters.dismiss(ids, reason, by=given.principal, store=given.stores.dead_letters, now=given.now)


async def purge(context: RequestContext, chosen: DeadLetterFilter, reason: str | None) -> int:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await dead_letters.purge(chosen, reason, by=given.principal, store=given.stores.dead_letters, now=given.now)
