"""The `switch` node: one of several ways, or all that apply."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from domain.conditions_compare import same
from domain.engine.outcomes import Completed, Outcome
from domain.errors import Finding
from domain.expressions import EvaluationError
from domain.graphs import ERROR
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.conditions import UNCLEAR, ConditionFailed, Decider, Verdict, preview
from jobs.nodes.fields import ConditionField, ExpressionField, TemplateField

DEFAULT = "default"


class Case(NodeConfig):
    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="The output handle of this case.")
    equals: TemplateField | None = Field(None, description="The value the expression must have.")
    when: ConditionField | None = Field(None, description="Or a condition, as in an if node.")


class SwitchConfig(NodeConfig):
    expression: ExpressionField | None = Field(None, description="The value that cases compare with equals.")
    cases: list[Case] = Field(description="Each with a name and either equals or when.", min_length=1)
    mode: Literal["first", "all"] = Field("first", description="Take the first case that applies, or all.")
    on_unclear: Literal["fail", "route"] = Field(
        "fail", description="When a case cannot be decided: fail, or take the output unclear alone."
    )


async def run(step: StepContext, config: SwitchConfig) -> Outcome:
    taken: list[str] = []
    traces: dict[str, JSON] = {}
    decision: dict[str, JSON] = {"cases": traces}
    decider = Decider(services=step.services)
    try:
        value = await _value(step, config)
        if config.expression is not None:
            decision["value"] = preview(value)
        for case in config.cases:
            verdict = await _applies(case, value, step, decider)
            traces[case.name] = verdict.trace
            if verdict.result:
                taken.append(case.name)
                if config.mode == "first":
                    break
    except ConditionFailed as error:
        failed = ConditionFailed(str(error), {**decision, **error.trace})
        return failed.as_route(step.input) if config.on_unclear == "route" else failed.as_outcome()
    return Completed(output=step.input, handles=tuple(taken) or (DEFAULT,), decision=decision)


async def _value(step: StepContext, config: SwitchConfig) -> JSON:
    try:
        return None if config.expression is None else await step.services.evaluate(config.expression, step.scope)
    except EvaluationError as error:
        raise ConditionFailed(str(error)) from None


async def _applies(case: Case, value: JSON, step: StepContext, decider: Decider) -> Verdict:
    try:
        if case.when is not None:
            return await decider.decide(case.when, step.scope)
        wanted = await step.services.render(case.equals, step.scope) if case.equals is not None else None
    except ConditionFailed as failed:
        raise ConditionFailed(str(failed), {"case": case.name, **failed.trace}) from None
    except EvaluationError as error:
        raise ConditionFailed(str(error), {"case": case.name, "result": None, "error": str(error)}) from None
    result = same(value, wanted)
    return Verdict(result=result, trace={"equals": preview(wanted), "result": result})


def handles(config: JSONObject) -> Sequence[str]:
    names = [as_object(case).get("name") for case in as_list(config.get("cases"))]
    fallbacks = (DEFAULT, UNCLEAR) if config.get("onUnclear") == "route" else (DEFAULT,)
    return (*(name for name in names if isinstance(name, str)), *fallbacks)


def rules(config: JSONObject) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, each in enumerate(as_list(config.get("cases"))):
        case, path = as_object(each), ("cases", str(at))
        name = case.get("name")
        if isinstance(name, str) and (name in seen or name in (DEFAULT, UNCLEAR, ERROR)):
            message = f"The case name {name[:64]!r} is taken"
            yield Finding(code="BAD_CASE", message=message, path=(*path, "name"), remedy="Choose another name.")
        seen.add(str(name))
        if ("equals" in case) == ("when" in case):
            message = f"The case {str(name)[:64]!r} needs either equals or when"
            yield Finding(code="BAD_CASE", message=message, path=path, remedy="Give exactly one of them.")
        elif "equals" in case and "expression" not in config:
            message = f"The case {str(name)[:64]!r} has nothing to compare with"
            yield Finding(code="BAD_CASE", message=message, path=("expression",), remedy="Give an expression.")


KIND = define(
    name="switch",
    title="Switch",
    description="Takes one of several ways, or all that apply.",
    category=NodeCategory.FLOW,
    config=SwitchConfig,
    run=run,
    outputs=(DEFAULT,),
    handles=handles,
    rules=rules,
    output=INPUT,
    documentation="""
Each case is an output named like the case; `default` is taken when none applies. A case applies when the expression's
value `equals` its value (nothing is converted: 1 is not "1"), or when its own condition, `when`, is true.

With `mode: first` cases are tried from top to bottom until one applies; with `all` every case that applies is taken.

The first case that cannot be decided, which is not the same as one that does not apply, fails the node with
`CONDITION_FAILED`; with `onUnclear: route` the input goes on on `unclear`, and on no other output.
""",
    examples={
        "By a value": {
            "expression": "{{ input.country }}",
            "cases": [{"name": "home", "equals": "DE"}, {"name": "neighbour", "equals": "AT"}],
        },
        "By conditions": {
            "mode": "all",
            "cases": [
                {"name": "large", "when": "{{ input.amount > 1000 }}"},
                {"name": "foreign", "when": {"left": "{{ input.country }}", "op": "!=", "right": "DE"}},
            ],
        },
    },
)
