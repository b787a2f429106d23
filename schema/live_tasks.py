"""The subscription to tasks: what is shown live of a tenant's inboxes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import strawberry

from domain.tasks import TaskFilter
from domain.tasks_live import TaskChange
from resolvers import tasks
from schema.broadcasts import Told
from schema.cohorts import Audience, Shared
from schema.info import Info
from schema.protection import ProtectedSchema
from schema.tasks import TaskFilterInput, TaskType


@strawberry.type(name="TaskChange", description="A change of one of the tenant's tasks.")
class TaskChangeType:
    task: TaskType | None = strawberry.field(description="As it is now; null when changes were missed.")
    listed: bool = strawberry.field(description="Whether it is in the filter now; if not, take it off the list.")
    refetch: bool = strawberry.field(description="Changes were missed: read the list again.")


@strawberry.type
class TaskSubscription:
    @strawberry.subscription(
        graphql_type=TaskChangeType,
        description="Changes of the tenant's tasks, without end; no cursor: after a gap it says refetch.",
    )
    async def tasks(self, info: Info, filter: TaskFilterInput | None = None) -> AsyncGenerator[Shared, None]:
        chosen = await filter.chosen(info) if filter else TaskFilter()
        who = info.context.principal
        audience = Audience(tenant=who.tenant_id, permissions=who.permissions, person=who.actor.user_id)
        source = tasks.watch(info.context, chosen)
        key = ("tasks", audience.tenant, audience.permissions, chosen)
        changes = cast("ProtectedSchema", info.schema).broadcasts.joined(key, source, TaskChange(task=None))
        return _shared(changes, audience)


async def _shared(changes: AsyncGenerator[Told[TaskChange], None], audience: Audience) -> AsyncGenerator[Shared, None]:
    """All with the same filter are told of a change at the same moment, and so shown the task as it is then."""
    async with aclosing(changes):
        async for told in changes:
            yield Shared(frame=told.value, identity=told.number, audience=audience)
