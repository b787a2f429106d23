"""What callers may do with triggers: authorise, call the use case, give back its value."""

from domain import triggers_edit
from domain.access import Permission
from domain.ids import TriggerId
from domain.json import JSONObject
from domain.triggers import Trigger
from domain.triggers_edit import NewTrigger
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, trigger_id: TriggerId) -> Trigger | None:
    return await allowed(context, Permission.TRIGGER_READ).loaders.trigger.load(trigger_id)


async def create(context: RequestContext, new: NewTrigger) -> Trigger:
    given = allowed(context, Permission.TRIGGER_WRITE)
    return await triggers_edit.create(
        new,
        store=given.stores.triggers,
        workflows=given.stores.workflows,
        ids=given.services.ids,
        now=given.now,
    )


async def update(
    context: RequestContext, trigger_id: TriggerId, config: JSONObject | None, enabled: bool | None
) -> Trigger:
    given = allowed(context, Permission.TRIGGER_WRITE)
    return await triggers_edit.update(trigger_id, config, enabled, store=given.stores.triggers, now=given.now)


async def delete(context: RequestContext, trigger_id: TriggerId) -> Trigger:
    given = allowed(context, Permission.TRIGGER_WRITE)
    return await triggers_edit.delete(trigger_id, store=given.stores.triggers)
