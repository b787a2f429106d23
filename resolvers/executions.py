"""What callers may do with executions: authorise, call the use case, give back its value."""

from collections.abc import AsyncGenerator, Sequence

from domain import (
    executions_control,
    executions_family,
    executions_retry,
    executions_start,
    executions_variables,
    live_frames,
    live_list,
    signals,
)
from domain import interventions as domain_interventions
from domain.access import Permission
from domain.engine.events import Event
from domain.engine.outcomes import LogLevel
from domain.errors import Refusal
from domain.executions import Execution, ExecutionFilter, ExecutionOrder
from domain.executions_family import Tree
from domain.executions_logs import LogEntry, LogPlace, read_entries
from domain.executions_prepare import Origin, StartRequest
from domain.executions_read import Overview
from domain.executions_retry import RetryRequest
from domain.ids import ExecutionId
from domain.interventions import Intervention
from domain.json import JSON
from domain.live_frames import Frame
from domain.live_list import ListChange
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, execution_id: ExecutionId) -> Execution | None:
    return await allowed(context, Permission.EXECUTION_READ).loaders.execution.load(execution_id)


async def page(context: RequestContext, chosen: ExecutionFilter, order: ExecutionOrder, page: Page) -> Slice[Execution]:
    return await allowed(context, Permission.EXECUTION_READ).stores.executions.page(chosen, order, page)


async def count(context: RequestContext, chosen: ExecutionFilter) -> int:
    return await allowed(context, Permission.EXECUTION_READ).stores.executions.count(chosen)


async def root(context: RequestContext, execution: Execution) -> Execution:
    return await executions_family.root(execution, allowed(context, Permission.EXECUTION_READ).loaders.execution.load)


async def tree(context: RequestContext, execution: Execution, depth: int) -> Tree:
    given = allowed(context, Permission.EXECUTION_READ)
    return await executions_family.tree(execution, depth, reader=given.stores.executions)


async def interventions(
    context: RequestContext, execution_id: ExecutionId, after: int, limit: int
) -> Sequence[Intervention]:
    log = allowed(context, Permission.EXECUTION_READ).stores.log
    return await domain_interventions.read(execution_id, after, limit, log=log)


async def overview(context: RequestContext, execution_id: ExecutionId) -> Overview | None:
    return await allowed(context, Permission.EXECUTION_READ).loaders.overview.load(execution_id)


async def overview_until(context: RequestContext, execution_id: ExecutionId, seq: int) -> Overview | None:
    return await allowed(context, Permission.EXECUTION_READ).loaders.overview_until(execution_id, seq)


async def events(context: RequestContext, execution_id: ExecutionId, after: int, limit: int) -> Sequence[Event]:
    return await allowed(context, Permission.EXECUTION_READ).stores.log.after(execution_id, after, limit)


async def count_events(context: RequestContext, execution_id: ExecutionId) -> int:
    return await allowed(context, Permission.EXECUTION_READ).stores.log.count(execution_id)


async def logs(
    context: RequestContext, execution_id: ExecutionId, after: LogPlace, limit: int, level: LogLevel
) -> Sequence[LogEntry]:
    log = allowed(context, Permission.EXECUTION_READ).stores.log
    return await read_entries(execution_id, after, limit, level, log=log)


async def start(context: RequestContext, request: StartRequest) -> Execution:
    given = allowed(context, Permission.EXECUTION_START)
    return await executions_start.start(request, _origin(given), given=given.starting, now=given.now)


async def start_and_wait(context: RequestContext, request: StartRequest, timeout: float) -> tuple[Execution, bool]:
    given = allowed(context, Permission.EXECUTION_START)
    return await executions_start.start_and_wait(
        request, _origin(given), timeout, given=given.starting, feed=given.services.feed, now=given.now
    )


async def start_many(context: RequestContext, requests: Sequence[StartRequest]) -> Sequence[Execution | Refusal]:
    given = allowed(context, Permission.EXECUTION_START)
    return await executions_start.start_many(requests, _origin(given), given=given.starting, now=given.now)


async def retry(context: RequestContext, request: RetryRequest) -> Execution:
    given = allowed(context, Permission.EXECUTION_START)
    return await executions_retry.retry(
        request,
        by=given.principal,
        given=given.starting,
        log=given.stores.log,
        plans=given.services.plans,
        now=given.now,
    )


async def cancel(context: RequestContext, execution_id: ExecutionId, reason: str | None, key: str | None) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await executions_control.cancel(execution_id, reason, by=given.principal, given=given.control, key=key)


async def pause(context: RequestContext, execution_id: ExecutionId, key: str | None) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await executions_control.pause(execution_id, by=given.principal, given=given.control, key=key)


async def resume(context: RequestContext, execution_id: ExecutionId, key: str | None) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await executions_control.resume(execution_id, by=given.principal, given=given.control, key=key)


async def skip_step(
    context: RequestContext, execution_id: ExecutionId, path: str, output: JSON, key: str | None
) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await executions_control.skip_step(
        execution_id, path, output, by=given.principal, versions=given.stores.versions, given=given.control, key=key
    )


async def set_variable(
    context: RequestContext, execution_id: ExecutionId, name: str, value: JSON, key: str | None
) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await executions_variables.set_variable(
        execution_id,
        name,
        value,
        by=given.principal,
        versions=given.stores.versions,
        log=given.stores.log,
        plans=given.services.plans,
        given=given.control,
        key=key,
    )


async def send_signal(
    context: RequestContext, execution_id: ExecutionId, name: str, payload: JSON, key: str | None, transient: bool
) -> Execution:
    given = allowed(context, Permission.SIGNAL_SEND)
    return await signals.send(
        execution_id, name, payload, by=given.principal, given=given.control, key=key, transient=transient
    )


async def watch(context: RequestContext, execution_id: ExecutionId, after: int) -> AsyncGenerator[Frame, None]:
    given = allowed(context, Permission.EXECUTION_READ)
    return await live_frames.watch(execution_id, after, given=given.watching)


def watch_list(context: RequestContext, chosen: ExecutionFilter) -> AsyncGenerator[ListChange, None]:
    given = allowed(context, Permission.EXECUTION_READ)
    return live_list.watch_list(
        chosen,
        tenant_id=given.principal.tenant_id,
        executions=given.stores.executions,
        feed=given.services.feed,
    )


def _origin(context: RequestContext) -> Origin:
    return Origin(by=str(context.principal.actor))
