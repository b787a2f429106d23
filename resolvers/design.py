"""What helps while a workflow is being written: kinds of nodes, expressions, schedules."""

from collections.abc import Sequence
from datetime import datetime

from domain import expressions_try, schedules
from domain.access import Permission
from domain.expressions_try import Tried
from domain.json import JSONObject
from domain.nodes import NodeCategory, NodeKind
from resolvers.access import allowed
from resolvers.context import RequestContext


def node_kinds(context: RequestContext, category: NodeCategory | None) -> Sequence[NodeKind]:
    kinds = allowed(context, Permission.WORKFLOW_READ).services.catalog.kinds()
    return [kinds[name] for name in sorted(kinds) if category in (None, kinds[name].category)]


def preview_schedule(
    context: RequestContext, cron: str, time_zone: str, after: datetime | None, count: int
) -> Sequence[datetime]:
    given = allowed(context, Permission.WORKFLOW_READ)
    return schedules.upcoming(cron, time_zone, after or given.now, count)


async def try_expression(context: RequestContext, text: str, scope: JSONObject) -> Tried:
    given = allowed(context, Permission.WORKFLOW_READ)
    return await expressions_try.evaluate(
        text, scope, tenant_id=given.principal.tenant_id, evaluator=given.services.evaluator
    )
