"""What can be read off a state: a step's input, the execution's output, its progress, what is due next."""

from collections.abc import Mapping
from datetime import datetime

from domain.engine.plan import Plan
from domain.engine.state import State, StepState, StepStatus
from domain.json import JSON


def step_input(steps: Mapping[str, StepState], path: str, trigger: JSON) -> JSON:
    """What came over the edges that activated the step; an object by node id where several came together.

    Over an `error` edge, or past a failure that was let go on, comes the failing step's own input.
    """
    sources = steps[path].sources
    if not sources:
        return trigger
    if len(sources) == 1:
        return _passed_on(steps, sources[0], trigger)
    return {steps[source].node: _passed_on(steps, source, trigger) for source in sources}


def _passed_on(steps: Mapping[str, StepState], path: str, trigger: JSON) -> JSON:
    while steps[path].status is StepStatus.FAILED:
        sources = steps[path].sources
        if len(sources) != 1:
            return step_input(steps, path, trigger)
        path = sources[0]
    return steps[path].output


def step_error(steps: Mapping[str, StepState], path: str) -> JSON:
    """The failure the step was activated by, None when no source failed."""
    for source in steps[path].sources:
        if steps[source].status is StepStatus.FAILED:
            return steps[source].error
    return None


def execution_output(
    plan: Plan, steps: Mapping[str, StepState], edges: Mapping[int, str | None], results: Mapping[str, JSON]
) -> JSON:
    """The output of the `end` or `respond` node reached, else of the last nodes: one value, or an object by node."""
    if not results:
        results = {
            step.node: step.output
            for step in steps.values()
            if (step.status is StepStatus.COMPLETED or step.skipped_by_hand)
            and all(edges.get(edge.index) is None for edge in plan.nodes[step.node].outgoing)
        }
    if len(results) == 1:
        return next(iter(results.values()))
    return dict(results) or None


def progress(plan: Plan, state: State) -> int:
    """Settled nodes of all nodes, in per cent; 100 only when the execution is over."""
    if state.lifecycle.terminal:
        return 100
    settled = {step.node for step in state.steps.values() if not step.status.open}
    settled -= {state.steps[path].node for path in state.open}
    return min(99, 100 * len(settled) // max(1, len(plan.nodes)))


def next_due(state: State) -> dict[str, datetime]:
    """When each open step that waits for a moment is due, by path."""
    due: dict[str, datetime] = {}
    for path in state.open:
        step = state.steps[path]
        moment = step.wait.until if step.wait else step.retry_at
        if moment is not None:
            due[path] = moment
    return due
