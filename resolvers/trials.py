"""What callers may do with tests: see where they stand and what they came to, and go on."""

from collections.abc import Sequence

from domain import expressions_try, trials_running, trials_verdict
from domain.access import Permission
from domain.errors import InvalidState, NotFound
from domain.executions import Execution
from domain.executions_read import Overview
from domain.expressions_try import Tried
from domain.ids import ExecutionId, encode
from domain.json import JSONObject
from domain.trials import Mark, Mode
from domain.trials_verdict import Verdict
from resolvers.access import allowed
from resolvers.context import RequestContext


async def of_execution(context: RequestContext, execution: Execution) -> Overview | None:
    """The folded log of an execution in test mode, None for any other."""
    if not execution.test:
        return None
    overview = await allowed(context, Permission.EXECUTION_READ).loaders.overview.load(execution.id)
    return overview if overview is not None and overview.state.trial is not None else None


async def marks(context: RequestContext, execution_id: ExecutionId) -> Sequence[tuple[str, Mark]]:
    log = allowed(context, Permission.EXECUTION_READ).stores.log
    return trials_running.marks_of((await log.whole([execution_id])).get(execution_id, ()))


async def verdict(context: RequestContext, overview: Overview) -> Verdict | None:
    given = allowed(context, Permission.EXECUTION_READ)
    trial = overview.state.trial
    if trial is None:
        return None
    return await trials_verdict.judge(
        trial, overview.state, tenant_id=given.principal.tenant_id, evaluator=given.services.evaluator
    )


async def go_on(context: RequestContext, execution_id: ExecutionId, mode: Mode, path: str | None) -> Execution:
    given = allowed(context, Permission.EXECUTION_CONTROL)
    execution, overview = await _loaded(given, execution_id, "id")
    return await trials_running.go_on(execution, overview.state, mode, path, by=given.principal, given=given.control)


async def scope(context: RequestContext, execution_id: ExecutionId, path: str) -> JSONObject:
    """What the expressions of the step at this path see, or saw when it ran. Raises NotFound, InvalidState."""
    given = allowed(context, Permission.EXECUTION_READ)
    execution, overview = await _loaded(given, execution_id, "executionId")
    step = overview.state.steps.get(path)
    if step is None:
        raise NotFound("step", path[:200], path=("path",))
    before: Overview | None = overview
    if not step.status.open:
        before = await given.loaders.overview_until(execution_id, step.settled_seq - 1)
    if before is None or path not in before.state.steps:
        raise InvalidState(f"The step {path} has not run in this execution", path=("path",))
    workflow = await given.loaders.workflow.load(execution.workflow_id)
    return trials_running.scope_of(
        before,
        before.state.steps[path],
        execution,
        workflow.name if workflow is not None else "",
        step.settled_at or given.now,
    )


async def try_expression(
    context: RequestContext, execution_id: ExecutionId, path: str, text: str, more: JSONObject
) -> Tried:
    """An expression as the step at this path sees it; `more` hides names of its scope. Raises what `scope` raises."""
    given = allowed(context, Permission.WORKFLOW_READ)
    seen = await scope(given, execution_id, path)
    return await expressions_try.evaluate_seen(
        text, {**seen, **more}, tenant_id=given.principal.tenant_id, evaluator=given.services.evaluator
    )


async def _loaded(context: RequestContext, execution_id: ExecutionId, field: str) -> tuple[Execution, Overview]:
    execution = await context.loaders.execution.load(execution_id)
    overview = await context.loaders.overview.load(execution_id)
    if execution is None or overview is None:
        raise NotFound("execution", encode("execution", execution_id), path=(field,))
    return execution, overview
