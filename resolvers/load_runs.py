"""What callers may do with load runs: authorise, call the use case, give back its value."""

from domain import load_runs_start
from domain.access import Permission
from domain.ids import LoadRunId, WorkflowId
from domain.load_runs import LoadRun
from domain.load_runs_report import LoadReport
from domain.load_runs_start import NewLoadRun
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, run_id: LoadRunId) -> LoadRun | None:
    return await allowed(context, Permission.EXECUTION_READ).loaders.load_run.load(run_id)


async def page(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[LoadRun]:
    return await allowed(context, Permission.EXECUTION_READ).stores.load_runs.page(workflow_id, page)


async def report(context: RequestContext, run: LoadRun) -> LoadReport:
    if run.report is not None:
        return run.report
    found = await allowed(context, Permission.EXECUTION_READ).loaders.load_report.load(run.id)
    return found or LoadReport()


async def start(context: RequestContext, new: NewLoadRun) -> LoadRun:
    given = allowed(context, Permission.EXECUTION_START)
    return await load_runs_start.start(
        new, by=given.principal, store=given.stores.load_runs, given=given.starting, now=given.now
    )


async def cancel(context: RequestContext, run_id: LoadRunId) -> LoadRun:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    return await load_runs_start.cancel(run_id, by=given.principal, store=given.stores.load_runs, now=given.now)
