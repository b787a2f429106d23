"""What a step sees of the execution around it: its input, and the steps before it."""

from domain.engine.draft import Draft
from domain.engine.plan import Plan
from domain.engine.results import gathered, step_error, step_input
from domain.engine.scopes import ROOT
from domain.engine.state import State, StepState
from domain.json import JSON


def entering(plan: Plan, draft: Draft | State, step: StepState) -> JSON:
    """The step's input: an edited one, what came over its edges, or what its graph begins with."""
    if step.path in draft.inputs:
        return draft.inputs[step.path]
    if step.undoes is not None:
        return draft.undoing.input if draft.undoing else None
    scope = draft.scopes[step.scope]
    beginning = draft.input if scope.owner is None else draft.loops[scope.owner].item(scope.index)
    given = step_input(draft.steps, step.path, beginning)
    return gathered(plan.at(step.trail), scope, step.node, given, len(step.sources))


def seen_steps(draft: Draft | State, step: StepState) -> JSON:
    """`steps` of its expressions: those of its own pass hide those of the passes around it.

    A mapping of its own: an output may be all of it, and must not change when further steps are over.
    """
    scope = draft.scopes[step.scope]
    if scope.prefix == ROOT:
        return dict(scope.view)
    views = [scope.view]
    while scope.owner is not None:
        scope = draft.scopes[draft.steps[scope.owner].scope]
        views.append(scope.view)
    merged: dict[str, JSON] = {}
    for view in reversed(views):
        merged |= view
    return merged


def seen_by(plan: Plan, draft: Draft | State, step: StepState) -> dict[str, JSON]:
    """What the expressions of a step see of its execution's state."""
    scope: dict[str, JSON] = {
        "input": entering(plan, draft, step),
        "trigger": draft.input,
        "steps": seen_steps(draft, step),
        "vars": dict(draft.vars),
        "error": step_error(draft.steps, step.path),
    }
    if step.undoes is not None and draft.undoing is not None:
        scope["output"] = draft.undoing.output
    owner = draft.scopes[step.scope].owner
    if owner is not None:
        index = draft.scopes[step.scope].index
        scope["item"], scope["index"] = draft.loops[owner].item(index), index
    return scope
