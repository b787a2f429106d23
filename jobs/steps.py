"""One step: render its config, run its node, evaluate the conditions of the edges it takes."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import perf_counter

import orjson

from domain.callbacks import Callback, signal_name
from domain.engine.outcomes import Calling, Cause, Completed, Ended, Failed, Iterating, Outcome, Waiting
from domain.engine.results import step_error
from domain.engine.state import StepState
from domain.engine.views import entering, seen_steps
from domain.expressions import EvaluationError, Scope, truthy
from domain.graphs import ERROR, OnError
from domain.ids import TenantId, encode
from domain.json import JSON, JSONObject, as_object
from domain.nodes import error_json
from domain.starts import NewExecution
from jobs.nodes.base import Services, StepContext
from jobs.programs import NodeProgram
from jobs.runs import Run
from jobs.sandbox.evaluator import Evaluator

log = logging.getLogger("weir.steps")

_text = lru_cache(maxsize=4_096)(encode)  # an execution's steps all name it and its workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of an attempt. `decisions` by edge index, as the engine reads them; `ms` is wall time.

    `children`: executions to begin with it.
    """

    outcome: Outcome
    decisions: JSONObject
    ms: float
    children: tuple[NewExecution, ...] = ()


class StepRunner:
    """Runs attempts; knows nothing of the log."""

    def __init__(
        self,
        *,
        evaluator: Evaluator,
        services: Callable[[TenantId], Services],
        callback_url: Callable[[Callback], str],
        max_output_bytes: int,
    ) -> None:
        self._evaluator = evaluator
        self._services = services
        self._callback_url = callback_url
        self._max_output_bytes = max_output_bytes

    async def run(self, run: Run, path: str, attempt: int, cause: Cause | None, at: datetime) -> Ran:
        """Never raises for what a node does; cancellation passes through."""
        started = perf_counter()
        step = run.draft.steps[path]
        program = run.program.of(step)
        scope = self.scope(run, path, at)
        outcome = await self._outcome(run, program, path, attempt, cause, scope, at)
        outcome = self._bounded(outcome)
        children: tuple[NewExecution, ...] = ()
        if isinstance(outcome, Calling):
            children = (outcome.child,)
            if not outcome.wait:
                outcome = Completed(output={"executionId": _text("execution", outcome.child.id)})
        handles = taken_handles(program, outcome)
        decisions = await self._decisions(run, step, handles, outcome, scope)
        ms = round((perf_counter() - started) * 1000, 3)
        return Ran(outcome=outcome, decisions=decisions, ms=ms, children=children)

    async def skipped(self, run: Run, path: str, output: JSON, at: datetime) -> JSONObject:
        """The decisions on the edges of a step that somebody skipped with this output."""
        step = run.draft.steps[path]
        outcome = Completed(output=output, handles=run.program.of(step).onward)
        return await self._decisions(run, step, outcome.handles, outcome, self.scope(run, path, at))

    def scope(self, run: Run, path: str, at: datetime) -> dict[str, JSON]:
        """What the expressions of this step see."""
        draft = run.draft
        step = draft.steps[path]
        scope: dict[str, JSON] = {
            "input": entering(run.program.plan, draft, step),
            "trigger": draft.input,
            "steps": seen_steps(draft, step),
            "vars": draft.vars,
            "error": step_error(draft.steps, path),
            "execution": self._about(run),
            "workflow": {"id": _text("workflow", run.workflow_id), "name": run.program.workflow_name},
            "now": at.isoformat(),
        }
        if step.undoes is not None and draft.undoing is not None:
            scope["output"] = draft.undoing.output
        owner = draft.scopes[step.scope].owner
        if owner is not None:
            index = draft.scopes[step.scope].index
            scope["item"], scope["index"] = draft.loops[owner].item(index), index
        return scope

    def _about(self, run: Run) -> JSONObject:
        about: dict[str, JSON] = {"id": _text("execution", run.execution_id), "trigger": run.draft.trigger}
        if run.program.callbacks:
            about["callbacks"] = {name: self._link(run, name) for name in run.program.callbacks}
        if run.draft.parent is not None:
            about["parent"] = {"id": run.draft.parent.execution, "depth": run.draft.parent.depth}
        return about

    def _link(self, run: Run, name: str) -> str:
        path = run.draft.root.fired.get(name) or name
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
    ) -> Outcome:
        node, tenant = program.node, str(run.tenant_id)
        if node.disabled:
            return Completed(output=scope["input"])
        try:
            async with asyncio.timeout(node.timeout):
                config = await self._config(tenant, program, scope)
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
                    services=self._services(run.tenant_id),
                    timeout=node.timeout,
                    depth=run.draft.parent.depth if run.draft.parent else 0,
                )
                behaviour = program.behaviour
                outcome = await (behaviour.run(context) if cause is None else behaviour.resume(context, cause))
        except EvaluationError as error:
            return Failed(code="EXPRESSION_FAILED", message=error.message, retryable=False)
        except TimeoutError:
            return Failed(code="TIMEOUT", message=f"The step took longer than its timeout of {node.timeout} s")
        except Exception as error:
            log.exception("the node %s of kind %s raised", node.id, node.kind)
            return Failed(code="NODE_CRASHED", message=f"{type(error).__name__}: {error}"[:500])
        if isinstance(outcome, Waiting) and outcome.callback:
            return Waiting(until=outcome.until, signal=signal_name(path), callback=True)
        return outcome

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
        local = {**scope, "input": output, "steps": view}
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
