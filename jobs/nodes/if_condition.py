"""The `if` node: one of two ways."""

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.conditions import ConditionFailed, decide
from jobs.nodes.fields import ConditionField


class IfConfig(NodeConfig):
    condition: ConditionField = Field(
        description="An expression, or {all: […]}, {any: […]}, {not: …} of conditions and {left, op, right}."
    )


async def run(step: StepContext, config: IfConfig) -> Outcome:
    try:
        verdict = await decide(config.condition, step.scope, step.services)
    except ConditionFailed as failed:
        return failed.as_outcome()
    handle = "true" if verdict.result else "false"
    return Completed(output=step.input, handles=(handle,), decision=verdict.trace)


KIND = define(
    name="if",
    title="If",
    description="Takes one of two ways, by a condition.",
    category=NodeCategory.FLOW,
    config=IfConfig,
    run=run,
    outputs=("true", "false"),
    documentation="""
The input goes on unchanged on `true` or on `false`. Branches may meet again: a node behind both runs once.

A condition is an expression, true or false as in JavaScript, or built from comparisons
`{left, op, right}` with `all`, `any` and `not`. Operators: `==` `!=` `<` `<=` `>` `>=` `contains` `startsWith`
`endsWith` `in` `matches` (a regular expression, RE2) `isEmpty` `isNotEmpty` `exists` `isText` `isNumber` `isBoolean`
`isList` `isObject` `isNull`. Comparisons convert nothing: a text is never equal to a number.

A condition that cannot be decided is not false: a value read from nothing, or an operator that does not fit its values,
fails the node with `CONDITION_FAILED`. Write `input.a?.b` where `a` may be missing.

The log keeps the decision with the values it was made from.
""",
    examples={
        "An expression": {"condition": "{{ input.amount > vars.limit }}"},
        "Comparisons": {
            "condition": {
                "all": [
                    {"left": "{{ input.country }}", "op": "in", "right": ["DE", "AT", "CH"]},
                    {"not": {"left": "{{ input.email }}", "op": "matches", "right": "@example\\.com$"}},
                ]
            }
        },
    },
)
