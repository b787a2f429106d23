"""Watching all executions of a tenant: what changed, as rows; after a loss, the word to read the list again."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from domain.executions import Execution, ExecutionFilter, ExecutionReader, matches
from domain.ids import TenantId
from domain.live import Changed, LiveFeed, Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange:
    """An execution as it is now, or (None) the word that some changes were missed."""

    execution: Execution | None

    @property
    def refetch(self) -> bool:
        return self.execution is None


async def watch_list(
    chosen: ExecutionFilter, *, tenant_id: TenantId, executions: ExecutionReader, feed: LiveFeed
) -> AsyncGenerator[ListChange, None]:
    """Changes of executions that are in the filter after the change, without end."""
    async with feed.follow_tenant(tenant_id) as follower:
        while True:
            match await follower.next():
                case Changed(workflow_id=workflow_id, execution_id=execution_id):
                    if chosen.workflow_id not in (None, workflow_id):
                        continue
                    for execution in await executions.by_ids([execution_id]):
                        if matches(chosen, execution):
                            yield ListChange(execution=execution)
                case Lost():
                    yield ListChange(execution=None)
                case _:
                    pass
