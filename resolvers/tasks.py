"""What callers may do with tasks: authorise, call the use case, give back its value."""

from collections.abc import AsyncGenerator

from domain import tasks_complete, tasks_live, tasks_work
from domain.access import Permission
from domain.ids import TaskId
from domain.paging import Page, Slice
from domain.tasks import Task, TaskEntry, TaskFilter
from domain.tasks_complete import Answer
from domain.tasks_live import TaskChange
from domain.tasks_people import Caller, caller_of
from resolvers.access import allowed
from resolvers.context import RequestContext


async def caller(context: RequestContext) -> Caller:
    """Who is asking, as tasks know people."""
    user_id = context.principal.actor.user_id
    account = await context.services.accounts.get(user_id) if user_id is not None else None
    return caller_of(context.identity, account)


async def by_id(context: RequestContext, task_id: TaskId) -> Task | None:
    return await allowed(context, Permission.TASK_READ).loaders.task.load(task_id)


async def page(context: RequestContext, chosen: TaskFilter, page: Page) -> Slice[Task]:
    return await allowed(context, Permission.TASK_READ).stores.tasks.page(chosen, page)


async def count(context: RequestContext, chosen: TaskFilter) -> int:
    return await allowed(context, Permission.TASK_READ).stores.tasks.count(chosen)


async def history(context: RequestContext, task_id: TaskId, page: Page) -> Slice[TaskEntry]:
    return await allowed(context, Permission.TASK_READ).stores.tasks.history(task_id, page)


def watch(context: RequestContext, chosen: TaskFilter) -> AsyncGenerator[TaskChange, None]:
    given = allowed(context, Permission.TASK_READ)
    return tasks_live.watch_tasks(
        chosen,
        tenant_id=given.principal.tenant_id,
        tasks=given.stores.tasks,
        feed=given.services.feed,
        clock=given.services.clock,
    )


async def complete(context: RequestContext, task_id: TaskId, answer: Answer) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_complete.complete(task_id, answer, by=await caller(given), given=given.completing, now=given.now)


async def claim(context: RequestContext, task_id: TaskId) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_work.claim(task_id, by=await caller(given), given=given.working, now=given.now)


async def unclaim(context: RequestContext, task_id: TaskId) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_work.unclaim(task_id, by=await caller(given), given=given.working, now=given.now)


async def delegate(context: RequestContext, task_id: TaskId, to: str, comment: str | None) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_work.delegate(task_id, to, comment, by=await caller(given), given=given.working, now=given.now)


async def escalate(context: RequestContext, task_id: TaskId, comment: str | None) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_work.escalate(task_id, comment, by=await caller(given), given=given.working, now=given.now)


async def comment(context: RequestContext, task_id: TaskId, text: str) -> Task:
    given = allowed(context, Permission.TASK_COMPLETE)
    return await tasks_work.comment(task_id, text, by=await caller(given), given=given.working, now=given.now)
