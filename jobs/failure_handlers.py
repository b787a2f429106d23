"""Finds what a failed execution hands its failure to: another workflow, begun in the transaction of the failure."""

import logging
from collections.abc import Callable

from domain.children import Call, Children
from domain.engine.commands import Finish
from domain.environments import placed_by
from domain.errors import Refusal
from domain.ids import TenantId, encode
from domain.json import JSON
from domain.starts import NewExecution, TriggerType
from jobs.runs import Run

log = logging.getLogger("weir.executor")


class Handlers:
    """Implements FailureHandlers. An execution that handles a failure has no handler of its own."""

    def __init__(self, children: Callable[[TenantId], Children]) -> None:
        self._children = children

    async def prepare(self, run: Run, finish: Finish) -> NewExecution | None:
        settings = run.program.plan.definition.settings
        if settings.failure_handler is None or run.draft.trigger.get("type") == TriggerType.FAILURE:
            return None
        call = Call(
            workflow=settings.failure_handler,
            caller=run.execution_id,
            depth=run.draft.parent.depth if run.draft.parent else 0,
            environment=placed_by(run.draft.trigger).environment,
            input=_told(run, finish),
            type=TriggerType.FAILURE,
        )
        try:
            return await self._children(run.tenant_id).prepare(call)
        except (Refusal, ConnectionError, TimeoutError) as error:
            name = encode("execution", run.execution_id)
            log.warning("the failure handler %r of %s was not begun: %s", settings.failure_handler, name, error)
            return None


def _told(run: Run, finish: Finish) -> JSON:
    """The handler's input: which execution failed, where, how, and what it was about."""
    return {
        "execution": {"id": encode("execution", run.execution_id), "trigger": run.draft.trigger},
        "workflow": {"id": encode("workflow", run.workflow_id), "name": run.program.workflow_name},
        "error": finish.error,
        "path": finish.path,
        "input": run.draft.input,
        "variables": run.draft.vars,
    }
