"""How the body of a step runs: iterations begin, end, fail, and in the end wake the step whose body it is."""

from datetime import datetime

from domain.engine.activation import frame_of
from domain.engine.bodies import container_of
from domain.engine.commands import ResumeStep
from domain.engine.draft import Draft
from domain.engine.flow import begin
from domain.engine.outcomes import BodyFailed, Cause, ErrorHandling, IterationEnded, LoopEnded
from domain.engine.plan import Plan
from domain.engine.results import scope_output
from domain.engine.scopes import Loop, Scope
from domain.engine.state import Lifecycle, StepState
from domain.json import JSON, JSONObject, as_list


def enter(plan: Plan, draft: Draft, step: StepState, given: JSONObject, at: datetime) -> None:
    """The step's body begins, or goes on after the step was asked; `given` is the WAITING event's `loop`."""
    loop = draft.loops[step.path]
    loop.due = None
    if given.get("stop") or loop.started == loop.count:
        _wake(draft, step.path, loop, LoopEnded(results=loop.in_order))
        return
    _start_more(plan, draft, step, loop, at)


def loop_from(given: JSONObject) -> Loop:
    """A loop that has not begun, from the WAITING event's payload."""
    items, count = given.get("items"), given.get("count")
    concurrency, enough = given.get("concurrency"), given.get("enough")
    elements = as_list(items) if items is not None else None
    return Loop(
        items=elements,
        count=len(elements) if elements is not None else count if isinstance(count, int) else None,
        concurrency=concurrency if isinstance(concurrency, int) else 1,
        error_handling=ErrorHandling(str(given.get("errorHandling", ErrorHandling.STOP))),
        ask=given.get("ask") is True,
        enough=enough if isinstance(enough, int) else None,
        keep_last=given.get("keepLast") is True,
    )


def _start_more(plan: Plan, draft: Draft, step: StepState, loop: Loop, at: datetime) -> None:
    """Begin iterations up to the concurrency; one that ends at once makes room for the next."""
    limit = 1 if loop.ask or loop.count is None else loop.concurrency
    while not loop.over and loop.started - loop.ended < limit and loop.started != loop.count:
        scope = Scope(
            prefix=f"{step.path}[{loop.started}].",
            trail=(*step.trail, step.node),
            owner=step.path,
            index=loop.started,
        )
        draft.scopes[scope.prefix] = scope
        scope.view[step.node] = {
            "item": loop.item(loop.started),
            "index": loop.started,
            "last": loop.results.get(loop.started - 1),
        }
        loop.started += 1
        begin(frame_of(plan, draft, scope.prefix, at))
        if scope.active == 0:
            _end(draft, scope, plan, at)
            if loop.ask or loop.count is None:
                return


def close(plan: Plan, draft: Draft, at: datetime) -> None:
    """End the iterations whose last step has settled, and begin what follows from that."""
    while draft.drained:
        scope = draft.scopes.get(draft.drained.pop())
        if scope is None or scope.owner is None or scope.active:
            continue
        if scope.over or scope.owner not in draft.open:  # what was cut off has finished
            draft.forget(scope.prefix)
            continue
        loop = draft.loops[scope.owner]
        _end(draft, scope, plan, at)
        if loop.due is None and draft.lifecycle is Lifecycle.RUNNING:
            _start_more(plan, draft, draft.steps[scope.owner], loop, at)


def _end(draft: Draft, scope: Scope, plan: Plan, at: datetime) -> None:
    """An iteration is over: keep what it came to, and see what that means for the loop."""
    owner = container_of(scope.prefix)
    loop = draft.loops[owner]
    scope.over = True
    loop.ended += 1
    item, failure = loop.item(scope.index), scope.failure
    result: JSON = scope_output(plan.at(scope.trail), draft.steps, scope)
    if failure is not None:
        collect = loop.error_handling is ErrorHandling.COLLECT
        result = {"error": failure.error, "index": scope.index, "item": item} if collect else None
    else:
        loop.good += 1
    if not loop.keep_last:
        loop.results[scope.index] = result
    elif scope.index >= max(loop.results, default=0):
        loop.results = {scope.index: result}
    draft.forget(scope.prefix)
    if draft.lifecycle is not Lifecycle.RUNNING or loop.over:
        return
    if failure is not None and loop.error_handling is ErrorHandling.STOP:
        draft.empty(owner, at, failed=True)
        cause = BodyFailed(index=scope.index, error=failure.error, path=failure.path)
        _wake(draft, owner, loop, cause)
    elif loop.enough is not None and loop.good >= loop.enough:
        draft.empty(owner, at)
        _wake(draft, owner, loop, LoopEnded(results=loop.in_order))
    elif loop.ask:
        loop.due = IterationEnded(index=scope.index, item=item, result=result, more=loop.more)
        draft.commands.append(ResumeStep(path=owner, node=draft.steps[owner].node, cause=loop.due))
    elif loop.ended == loop.count:
        _wake(draft, owner, loop, LoopEnded(results=loop.in_order))


def _wake(draft: Draft, path: str, loop: Loop, cause: Cause) -> None:
    loop.over, loop.due = True, cause
    draft.commands.append(ResumeStep(path=path, node=draft.steps[path].node, cause=cause))
