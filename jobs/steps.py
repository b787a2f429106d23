"""One step: render its config, run its node, evaluate the conditions of the edges it takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache, partial
from time import perf_counter
from traceback import format_exception
from typing import TypeAlias

import orjson
from msgspec import Struct

from domain.callbacks import Callback, signal_name
from domain.engine.outcomes import Calling, Cause, Completed, Ended, Failed, Iterating, Outcome, Waiting
from domain.engine.ports import JournalRefused, LostOwnership
from domain.engine.state import StepState
from domain.engine.views import seen_by
from domain.expressions import EvaluationError, Scope, truthy
from domain.graphs import ERROR, OnError
from domain.ids import TenantId, encode
from domain.json import JSON, JSONObject, as_object
from domain.nodes import error_json
from domain.starts import NewExecution
from domain.trials import Mark
from jobs.locking import Held, Lock, hold
from jobs.masking import Secrets
from jobs.nodes.base import StepContext
from jobs.programs import NodeProgram
from jobs.result_cache import NoResults, Results, kept_or, result_key
from jobs.runs import Run
from jobs.sandbox.evaluator import Evaluator
from jobs.services import StepServices
from jobs.trials import handed_down, mark_of, own_cause, pinned, services_of, simulated, stop_before

log = logging.getLogger("weir.steps")

Begin: TypeAlias = Callable[[], Awaitable[None]]

_NO_LIMIT = nullcontext()
_LOOKED_AT = ("steps", "vars", "trigger", "item", "index", "error")
_text = lru_cache(maxsize=4_096)(encode)  # an execution's steps all name it and its workflow


class Ran(Struct, frozen=True, kw_only=True):
    """What came of an attempt. `decisions` by edge index, as the engine reads them; `ms` is wall time.

    `children`: executions to begin with it. `mark`: how a test went about it.
    """

    outcome: Outcome
    decisions: JSONObject
    ms: float
    children: tuple[NewExecution, ...] = ()
    mark: Mark | None = None


class StepRunner:
    """Runs attempts; knows nothing of the log."""

    def __init__(
        self,
        *,
        evaluator: Evaluator,
        services: Callable[[TenantId], StepServices],
        callback_url: Callable[[Callback], str],
        max_output_bytes: int,
        results: Callable[[TenantId], Results] = lambda _: NoResults(),
    ) -> None:
        self._evaluator = evaluator
        self._services = services
        self._callback_url = callback_url
        self._max_output_bytes = max_output_bytes
        self._results = results

    async def run(self, run: Run, path: str, attempt: int, cause: Cause | None, at: datetime, begin: Begin) -> Ran:
        """Never raises for what a node does; cancellation passes through, and what `begin` raises.

        `begin` is awaited right before a node runs that must not do so twice: then the log says that it has begun.
        """
        started = perf_counter()
        step = run.draft.steps[path]
        stop = stop_before(run.draft, step, cause)
        if stop is not None:
            return Ran(outcome=stop, decisions={}, ms=0.0)
        program = run.program.of(step)
        mark = mark_of(run.draft.trial, program, step)
        scope = self.scope(run, path, at)
        outcome = await self._outcome(run, program, path, attempt, own_cause(cause), scope, at, mark, begin)
        outcome = self._bounded(outcome)
        children: tuple[NewExecution, ...] = ()
        if isinstance(outcome, Calling):
            children = (handed_down(run.draft.trial, path, outcome.child),)
            if not outcome.wait:
                outcome = Completed(output={"executionId": _text("execution", outcome.child.id)})
        handles = taken_handles(program, outcome)
        decisions = await self._decisions(run, step, handles, outcome, scope)
        ms = round((perf_counter() - started) * 1000, 3)
        return Ran(outcome=outcome, decisions=decisions, ms=ms, children=children, mark=mark)

    async def skipped(self, run: Run, path: str, output: JSON, at: datetime) -> JSONObject:
        """The decisions on the edges of a step that somebody skipped with this output."""
        step = run.draft.steps[path]
        outcome = Completed(output=output, handles=run.program.of(step).onward)
        return await self._decisions(run, step, outcome.handles, outcome, self.scope(run, path, at))

    def scope(self, run: Run, path: str, at: datetime) -> dict[str, JSON]:
        """What the expressions of this step see."""
        scope = seen_by(run.program.plan, run.draft, run.draft.steps[path])
        scope["execution"] = self._about(run)
        scope["workflow"] = {"id": _text("workflow", run.workflow_id), "name": run.program.workflow_name}
        scope["now"] = at.isoformat()
        return scope

    def _about(self, run: Run) -> JSONObject:
        about: dict[str, JSON] = {"id": _text("execution", run.execution_id), "trigger": run.draft.trigger}
        if run.program.callbacks:
            about["callbacks"] = {name: self._link(run, name) for name in run.program.callbacks}
        if run.draft.parent is not None:
            about["parent"] = {"id": run.draft.parent.execution, "depth": run.draft.parent.depth}
        return about

    def _link(self, run: Run, name: str) -> str:
        path = run.draft.root.path_to(name)
        callback = Callback(tenant_id=run.tenant_id, execution_id=run.execution_id, path=path)
        return self._callback_url(callback)

    async def _outcome(
        self,
        run: Run,
        program: NodeProgram,
        path: str,
        attempt: int,
        cause: Cause | None,
        scope: dict[str, JSON],
        at: datetime,
        mark: Mark | None,
        begin: Begin,
    ) -> Outcome:
        node, tenant, trial = program.node, str(run.tenant_id), run.draft.trial
        if node.disabled:
            return Completed(output=scope["input"])
        if trial is not None and mark is Mark.PINNED:
            return pinned(trial, program, path)
        services = self._services(run.tenant_id)
        try:
            if program.lock is not None and mark is not Mark.SIMULATED:
                held = await self._hold(run, program.lock, path, cause, scope, at)
                if not isinstance(held, Held):
                    return held
                cause = held.cause
            async with _NO_LIMIT if node.timeout is None else asyncio.timeout(node.timeout):
                config = await self._config(tenant, program, scope)
                if mark is Mark.SIMULATED:
                    return simulated(program, config)
                context = StepContext(
                    tenant_id=run.tenant_id,
                    execution_id=run.execution_id,
                    path=path,
                    node=node,
                    attempt=attempt,
                    config=config,
                    input=scope["input"],
                    scope=scope,
                    at=at,
                    idempotency_key=f"{_text('execution', run.execution_id)}:{path}",
                    services=services_of(services, trial, mark),
                    timeout=node.timeout,
                    depth=run.draft.parent.depth if run.draft.parent else 0,
                )
                if cause is None and program.cache is None and not node.at_most_once:
                    outcome = services.secrets.masked_outcome(await program.behaviour.run(context))
                else:
                    begun = run.draft.steps[path].begun == attempt
                    outcome = await self._act(program, context, cause, begin if not begun else None, services.secrets)
        except (LostOwnership, JournalRefused):
            raise
        except EvaluationError as error:
            return Failed(code="EXPRESSION_FAILED", message=error.message, retryable=False)
        except TimeoutError:
            return Failed(code="TIMEOUT", message=f"The step took longer than its timeout of {node.timeout} s")
        except Exception as error:
            told = services.secrets.masked("".join(format_exception(error)))
            log.error("the node %s of kind %s raised\n%s", node.id, node.kind, told)
            message = services.secrets.masked(f"{type(error).__name__}: {error}")
            return Failed(code="NODE_CRASHED", message=message[:500])
        if isinstance(outcome, Waiting) and outcome.callback:
            return Waiting(until=outcome.until, signal=signal_name(path), callback=True)
        return outcome

    async def _act(
        self,
        program: NodeProgram,
        context: StepContext,
        cause: Cause | None,
        begin: Begin | None,
        secrets: Secrets,
    ) -> Outcome:
        """Run or resume the node; a result that is kept stands for the run. `begin` None: it has begun once already."""
        if cause is not None:
            return secrets.masked_outcome(await program.behaviour.resume(context, cause))
        run = partial(_first_run, program, begin) if program.node.at_most_once else program.behaviour.run
        if program.cache is None:
            return secrets.masked_outcome(await run(context))
        about: list[JSON] = [context.config, context.input]
        if program.cache.key is not None:
            about = [await self._evaluator.render(str(context.tenant_id), program.cache.key, context.scope)]
        elif program.raw:  # what it evaluates itself may look at anything
            about += [context.scope.get(name) for name in _LOOKED_AT]
        return await kept_or(
            partial(_masked_run, run, context, secrets),
            key=result_key(program.node.kind, about),
            ttl=program.cache.ttl,
            results=self._results(context.tenant_id),
        )

    async def _hold(
        self, run: Run, lock: Lock, path: str, cause: Cause | None, scope: Scope, at: datetime
    ) -> Held | Waiting | Failed:
        return await hold(
            lock,
            run.draft.steps[path],
            cause,
            execution_id=run.execution_id,
            desk=self._services(run.tenant_id).locks,
            render=partial(self._evaluator.render, str(run.tenant_id), scope=scope),
            at=at,
        )

    async def _config(self, tenant: str, program: NodeProgram, scope: Scope) -> JSONObject:
        if program.template.constant:
            return program.node.config
        rendered = await self._evaluator.render(tenant, program.template, scope)
        return {**as_object(rendered), **program.raw}

    def _bounded(self, outcome: Outcome) -> Outcome:
        match outcome:
            case Completed(output=output, outputs=outputs, variables=variables):
                value: object = (output, outputs, variables)
            case Iterating(items=items):
                value = items
            case _:
                return outcome
        try:
            size = len(orjson.dumps(value))
        except TypeError as error:
            return Failed(code="OUTPUT_INVALID", message=f"The output is no JSON: {error}", retryable=False)
        if size <= self._max_output_bytes:
            return outcome
        message = f"The output has {size} bytes; at most {self._max_output_bytes} are allowed"
        return Failed(code="OUTPUT_TOO_LARGE", message=message, retryable=False)

    async def _decisions(
        self, run: Run, step: StepState, handles: Sequence[str], outcome: Outcome, scope: dict[str, JSON]
    ) -> JSONObject:
        body = run.program.bodies[step.trail]
        conditions = body.conditions
        edges = [
            edge
            for edge in body.plan.nodes[step.node].outgoing
            if edge.index in conditions and edge.edge.source_handle in handles
        ]
        if not edges or step.undoes is not None:
            return {}
        output = outcome.output if isinstance(outcome, Completed) else scope["input"]
        seen: dict[str, JSON] = {"output": output}
        if isinstance(outcome, Failed):
            seen["error"] = scope["error"] = outcome.as_json()
        view = {**as_object(scope["steps"]), step.node: seen}
        variables = {**as_object(scope["vars"]), **(outcome.variables if isinstance(outcome, Completed) else {})}
        local = {**scope, "input": output, "steps": view, "vars": variables}
        decisions: dict[str, JSON] = {}
        for edge in edges:
            expression = conditions[edge.index]
            try:
                value = await self._evaluator.evaluate(str(run.tenant_id), expression, local)
                decisions[str(edge.index)] = truthy(value)
            except EvaluationError as error:
                message = f"The condition of the edge to {edge.edge.target} failed: {error.message}"
                decisions[str(edge.index)] = error_json("CONDITION_FAILED", message)
        return decisions


async def _masked_run(
    run: Callable[[StepContext], Awaitable[Outcome]], context: StepContext, secrets: Secrets
) -> Outcome:
    return secrets.masked_outcome(await run(context))


async def _first_run(program: NodeProgram, begin: Begin | None, context: StepContext) -> Outcome:
    """The run of a node that must not run again when nobody knows what became of its first run."""
    if begin is None:
        return Failed(
            code="OUTCOME_UNKNOWN",
            message="The step had begun when its worker was lost, and it must not run twice",
            retryable=False,
            remedy="Find out whether it was done; then skip it with its output, or retry the execution from it.",
        )
    await begin()
    return await program.behaviour.run(context)


def taken_handles(program: NodeProgram, outcome: Outcome) -> tuple[str, ...]:
    """The output handles an outcome takes; a failure's depend on the node's `onError`."""
    match outcome:
        case Completed():
            return outcome.handles
        case Failed(caught=True):
            return (ERROR,)
        case Failed():
            match program.node.on_error:
                case OnError.ROUTE:
                    return (ERROR,)
                case OnError.CONTINUE:
                    return program.onward
                case OnError.FAIL:
                    return ()
        case Waiting() | Ended() | Iterating() | Calling():
            return ()
