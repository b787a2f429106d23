"""What can be read off a state: a step's input, a graph's output, its progress, what is due next."""

from collections.abc import Mapping
from datetime import datetime

from domain.engine.outcomes import ErrorHandling
from domain.engine.plan import Plan
from domain.engine.scopes import Scope
from domain.engine.state import State, StepState, StepStatus
from domain.graphs import ERROR, OUT
from domain.json import JSON

Steps = Mapping[str, StepState]


def step_input(steps: Steps, path: str, trigger: JSON) -> JSON:
    """What came over the edges that activated the step; an object by node id where several came together.

    Over an `error` edge, or past a failure that was let go on, comes the failing step's own input. `trigger` is what a
    step without a source gets.
    """
    step = steps[path]
    if not step.sources:
        return trigger
    if len(step.sources) == 1:
        return _passed_on(steps, step.sources[0], step.via[0] if step.via else OUT, trigger)
    via = step.via or (OUT,) * len(step.sources)
    return {
        steps[source].node: _passed_on(steps, source, handle, trigger)
        for source, handle in zip(step.sources, via, strict=True)
    }


def _passed_on(steps: Steps, path: str, handle: str, trigger: JSON) -> JSON:
    while steps[path].status is StepStatus.FAILED:
        step = steps[path]
        if len(step.sources) != 1:
            return step_input(steps, path, trigger)
        path, handle = step.sources[0], step.via[0] if step.via else OUT
    step = steps[path]
    return step.outputs.get(handle, step.output) if handle != ERROR else step.output


def gathered(plan: Plan, scope: Scope, node: str, given: JSON, sources: int) -> JSON:
    """The input of a merge that collects failures: what came by node id, and `{error}` for each branch that failed."""
    fork = plan.nodes[node].gathers
    region = plan.nodes[fork].region if fork else None
    borne = scope.tolerated.get(fork or "", ())
    if not borne or region is None or region.error_handling is not ErrorHandling.COLLECT:
        return given
    members: dict[str, JSON] = {}
    if sources > 1 and isinstance(given, Mapping):
        members.update(given)
    elif sources == 1:
        (source,) = (name for name in _sources(plan, scope, node))
        members[source] = given
    for failure in borne:
        members[_node_at(scope, failure.path)] = {"error": failure.error}
    return members


def _sources(plan: Plan, scope: Scope, node: str) -> list[str]:
    incoming = plan.nodes[node].incoming
    return [plan.edges[index].edge.source for index in incoming if scope.edges.get(index) is not None]


def _node_at(scope: Scope, path: str | None) -> str:
    return (path or "").removeprefix(scope.prefix).partition("#")[0].partition("[")[0]


def step_error(steps: Steps, path: str) -> JSON:
    """The failure the step was activated by, None when no source failed."""
    for source in steps[path].sources:
        if steps[source].status is StepStatus.FAILED:
            return steps[source].error
    return None


def scope_output(plan: Plan, steps: Steps, scope: Scope) -> JSON:
    """The output of the `end` or `respond` node reached, else of the last nodes: one value, or an object by node."""
    results = scope.results
    if not results:
        mine = (steps[path] for path in (scope.paths if scope.prefix else steps))
        results = {
            step.node: step.output
            for step in mine
            if step.scope == scope.prefix
            and step.undoes is None
            and (step.status is StepStatus.COMPLETED or step.skipped_by_hand)
            and all(scope.edges.get(edge.index) is None for edge in plan.nodes[step.node].outgoing)
        }
    if len(results) == 1:
        return next(iter(results.values()))
    return dict(results) or None


def progress(plan: Plan, state: State) -> int:
    """Settled nodes of all nodes, in per cent, a loop by its iterations; 100 only when the execution is over."""
    if state.lifecycle.terminal:
        return 100
    top = [step for step in state.steps.values() if not step.scope]
    settled = {step.node for step in top if not step.status.open}
    settled -= {step.node for step in top if step.status.open}
    done = float(len(settled))
    for path, loop in state.loops.items():
        if path in state.open and "[" not in path and loop.count:
            done += loop.ended / loop.count
    return min(99, int(100 * done) // max(1, len(plan.nodes)))


def next_due(state: State) -> dict[str, datetime]:
    """When each open step that waits for a moment is due, and each deadline of a `parallel`, by path."""
    due = dict(state.alarms)
    for path in state.open:
        step = state.steps[path]
        moment = step.wait.until if step.wait else step.retry_at
        if moment is not None:
            due[path] = moment
    return due
