"""Watching a tenant's tasks: each one that changed, as it is now, and whether it is still among those watched."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from domain.ids import TenantId
from domain.live import LiveFeed, Lost, TaskChanged
from domain.sources import Clock
from domain.tasks import Task, TaskFilter, TaskReader, matches


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """A task as it is now and whether it is in the filter, or (None) the word that some changes were missed."""

    task: Task | None
    listed: bool = False

    @property
    def refetch(self) -> bool:
        return self.task is None


async def watch_tasks(
    chosen: TaskFilter, *, tenant_id: TenantId, tasks: TaskReader, feed: LiveFeed, clock: Clock
) -> AsyncGenerator[TaskChange, None]:
    """Changes of the tenant's tasks, without end: also of those that have just left the filter."""
    async with feed.follow_tenant(tenant_id) as follower:
        while True:
            match await follower.next():
                case TaskChanged(ids=ids):
                    for task in await tasks.by_ids(ids):
                        if chosen.execution_id in (None, task.execution_id):
                            yield TaskChange(task=task, listed=matches(chosen, task, clock()))
                case Lost():
                    yield TaskChange(task=None)
                case _:
                    pass
