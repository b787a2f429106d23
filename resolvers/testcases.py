"""What callers may do with test cases: authorise, call the use case, give back its value."""

import asyncio
from collections.abc import Callable, Sequence

from domain import testcases_edit, testcases_run
from domain.access import Permission
from domain.errors import NotFound, TooLarge
from domain.executions import Execution
from domain.executions_prepare import Origin
from domain.ids import ExecutionId, TestCaseId, WorkflowId, encode
from domain.paging import Page, Slice
from domain.testcases import MAX_CASES, Case, SavedCase
from domain.testcases_run import CaseResult, Chosen, TestRun
from resolvers import trials
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, case_id: TestCaseId) -> SavedCase | None:
    return await allowed(context, Permission.WORKFLOW_READ).loaders.testcase.load(case_id)


async def page(context: RequestContext, workflow_id: WorkflowId, page: Page) -> Slice[SavedCase]:
    return await allowed(context, Permission.WORKFLOW_READ).stores.testcases.page(workflow_id, page)


async def count(context: RequestContext, workflow_id: WorkflowId) -> int:
    return await allowed(context, Permission.WORKFLOW_READ).stores.testcases.count(workflow_id)


async def of_execution(context: RequestContext, execution_id: ExecutionId) -> SavedCase | None:
    """The test case that the execution is a trial of."""
    given = allowed(context, Permission.WORKFLOW_READ)
    execution = await given.loaders.execution.load(execution_id)
    if execution is None or execution.trial_of is None:
        return None
    return await given.loaders.testcase.load(TestCaseId(execution.trial_of))


async def last_run(context: RequestContext, saved: SavedCase) -> CaseResult | None:
    given = allowed(context, Permission.EXECUTION_READ)
    last = await given.loaders.last_trial.load(saved.id)
    execution = await given.loaders.execution.load(last) if last is not None else None
    return await _result(given, saved, execution) if execution is not None else None


async def create(context: RequestContext, workflow_id: WorkflowId, case: Case) -> SavedCase:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await testcases_edit.create(workflow_id, case, by=given.principal, given=given.casework, now=given.now)


async def update(
    context: RequestContext, case_id: TestCaseId, change: Callable[[Case], Case], expected_revision: int | None
) -> SavedCase:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await testcases_edit.update(
        case_id, change, expected_revision, by=given.principal, given=given.casework, now=given.now
    )


async def delete(context: RequestContext, case_id: TestCaseId, expected_revision: int | None) -> SavedCase:
    given = allowed(context, Permission.WORKFLOW_WRITE)
    return await testcases_edit.delete(case_id, expected_revision, given=given.casework)


async def run(context: RequestContext, chosen: Chosen, version: int | None) -> TestRun:
    given = allowed(context, Permission.EXECUTION_START)
    origin = Origin(by=str(given.principal.actor))
    return await testcases_run.run(
        chosen, version, origin, reader=given.stores.testcases, given=given.starting, now=given.now
    )


async def results(context: RequestContext, ids: Sequence[ExecutionId]) -> TestRun:
    """What the executions have come to by now. Raises NotFound for one that is not there, TooLarge."""
    given = allowed(context, Permission.EXECUTION_READ)
    if len(ids) > MAX_CASES:
        raise TooLarge(f"At most {MAX_CASES} executions are judged at once", path=("ids",))
    return TestRun(results=await asyncio.gather(*(_judged(given, execution_id) for execution_id in ids)))


async def _judged(context: RequestContext, execution_id: ExecutionId) -> CaseResult:
    execution = await context.loaders.execution.load(execution_id)
    if execution is None:
        raise NotFound("execution", encode("execution", execution_id), path=("ids",))
    return await _result(context, await of_execution(context, execution_id), execution)


async def _result(context: RequestContext, saved: SavedCase | None, execution: Execution) -> CaseResult:
    if not execution.status.terminal:
        return CaseResult(case=saved, execution=execution)
    overview = await trials.of_execution(context, execution)
    verdict = await trials.verdict(context, overview) if overview is not None else None
    return CaseResult(case=saved, execution=execution, verdict=verdict)
