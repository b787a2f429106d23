"""What a test came to: its log, as it was folded, against what was to come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from domain.engine.state import State, StepState, StepStatus
from domain.expressions import EvaluationError, ExpressionError, compile_expression, truthy
from domain.expressions_try import Evaluator
from domain.ids import TenantId, encode
from domain.json import JSON, JSONObject, as_list, is_list
from domain.trials import Trial, node_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One thing that is not as it was to be. `node` and `path` None: it is about the execution as a whole."""

    message: str
    expected: JSON
    actual: JSON = None
    node: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    failures: Sequence[Shortfall] = ()

    @property
    def passed(self) -> bool:
        return not self.failures


async def judge(trial: Trial, state: State, *, tenant_id: TenantId, evaluator: Evaluator) -> Verdict | None:
    """The same for the same log; None while the execution runs. `state`: folded with the steps of finished iterations.

    Its assertions see what the last expressions of the execution could have seen, and `output`, `error` and `status`.
    """
    if not state.lifecycle.terminal:
        return None
    failures = [*_ending(trial, state), *chain.from_iterable(_output(trial, state, name) for name in trial.expected)]
    scope = _scope(state)
    for source in trial.assertions:
        failures += await _assertion(source, scope, encode("tenant", tenant_id), evaluator)
    return Verdict(failures=failures)


def _ending(trial: Trial, state: State) -> list[Shortfall]:
    if state.lifecycle.value == trial.status.value:
        return []
    failure = state.failure
    why = f": {failure.error.get('message', '')}" if failure is not None else ""
    path = failure.path if failure is not None else None
    return [
        Shortfall(
            message=f"The execution ended {state.lifecycle.value}, not {trial.status.value}{why}",
            expected=trial.status.value,
            actual=state.lifecycle.value,
            node=node_name(path) if path is not None else None,
            path=path,
        )
    ]


def _output(trial: Trial, state: State, name: str) -> list[Shortfall]:
    expected, node = trial.expected[name], node_name(name)
    step = _step(state, name)
    if step is None:
        return [Shortfall(message=f"{name} was never reached", expected=expected, node=node)]
    match step.status:
        case StepStatus.COMPLETED:
            message = difference(expected, step.output)
        case StepStatus.SKIPPED if step.skipped_by_hand:
            message = difference(expected, step.output)
        case StepStatus.FAILED:
            message = f"{name} failed: {(step.error or {}).get('message', '')}"
        case _:
            message = f"{name} was {step.status.value.lower()}"
    if message is None:
        return []
    return [Shortfall(message=message, expected=expected, actual=step.output, node=node, path=step.path)]


def _step(state: State, name: str) -> StepState | None:
    """The step of this path, else the last of this node that has an output, else its last."""
    if name in state.steps:
        return state.steps[name]
    steps = [step for step in state.steps.values() if step.undoes is None and node_name(step.path) == name]
    whole = [step for step in steps if not step.path.endswith("]")]  # not the single elements of an `each`
    ordered = sorted(whole, key=lambda step: (step.status is StepStatus.COMPLETED, step.settled_seq))
    return ordered[-1] if ordered else None


def _scope(state: State) -> JSONObject:
    return {
        "input": state.input,
        "trigger": state.input,
        "steps": state.root.view,
        "vars": state.vars,
        "output": state.output,
        "error": state.failure.error if state.failure is not None else None,
        "status": state.lifecycle.value,
        "now": state.finished_at.isoformat() if state.finished_at is not None else None,
    }


async def _assertion(source: str, scope: JSONObject, tenant: str, evaluator: Evaluator) -> list[Shortfall]:
    try:
        value = await evaluator.evaluate(tenant, compile_expression(source), scope)
    except (EvaluationError, ExpressionError) as error:
        return [Shortfall(message=f"{source} cannot be evaluated: {error.message}", expected=True)]
    if truthy(value):
        return []
    return [Shortfall(message=f"{source} does not hold", expected=True, actual=value)]


def difference(expected: JSON, actual: JSON, at: str = "output") -> str | None:
    """Where the values first differ, in words; None when they are the same. 1 and 1.0 are, 1 and true are not."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in expected:
            if key not in actual:
                return f"{at}.{key} is missing"
        inside = (difference(expected[key], actual[key], f"{at}.{key}") for key in expected)
        more = (f"{at}.{key} was not expected" for key in actual if key not in expected)
        return next((found for found in chain(inside, more) if found is not None), None)
    if is_list(expected) and is_list(actual):
        wanted, given = as_list(expected), as_list(actual)
        if len(wanted) != len(given):
            return f"{at} has {len(given)} elements, not {len(wanted)}"
        pairs = enumerate(zip(wanted, given, strict=True))
        inside = (difference(one, other, f"{at}[{index}]") for index, (one, other) in pairs)
        return next((found for found in inside if found is not None), None)
    if expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return None
    return f"{at} is {_shown(actual)}, not {_shown(expected)}"


def _shown(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else f"{value[:60]}…")
        case int() | float():
            return str(value)
        case Mapping():
            return "an object"
        case _:
            return "a list"
