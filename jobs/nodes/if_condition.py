"""The `if` node: one of two ways."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.json import JSONObject
from domain.nodes import INPUT, NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.conditions import UNCLEAR, ConditionFailed, decide
from jobs.nodes.fields import ConditionField


class IfConfig(NodeConfig):
    condition: ConditionField = Field(
        description="An expression, or {all: […]}, {any: […]}, {not: …} of conditions and {left, op, right}."
    )
    on_unclear: Literal["fail", "route"] = Field(
        "fail", description="When the condition cannot be decided: fail, or take the output unclear."
    )


async def run(step: StepContext, config: IfConfig) -> Outcome:
    try:
        verdict = await decide(config.condition, step.scope, step.services)
    except ConditionFailed as failed:
        return failed.as_route(step.input) if config.on_unclear == "route" else failed.as_outcome()
    handle = "true" if verdict.result else "false"
    return Completed(output=step.input, handles=(handle,), decision=verdict.trace)


def handles(config: JSONObject) -> Sequence[str]:
    return ("true", "false", UNCLEAR) if config.get("onUnclear") == "route" else ("true", "false")


KIND = define(
    name="if",
    title="If",
    description="Takes one of two ways, by a condition.",
    category=NodeCategory.FLOW,
    config=IfConfig,
    run=run,
    outputs=("true", "false"),
    handles=handles,
    output=INPUT,
    documentation="""
The input goes on unchanged on `true` or on `false`. Branches may meet again: a node behind both runs once.

A condition is an expression, true or false as in JavaScript, or built from comparisons `{left, op, right}` with `all`,
`any` and `not`, which nest as deep as 50 levels. There is no precedence to know: an object holds one of them. `all` and
`any` are read from the first to the last and stop as soon as the result is certain. Inside an expression JavaScript's
precedence holds: `!` before comparisons before `&&` before `||`.

| `op` | is true when |
|---|---|
| `==` `!=` | left and right are equal as JSON, or not; nothing is converted: 1 is 1.0, never "1" or true |
| `<` `<=` `>` `>=` | two numbers, or two texts by their characters' codes, are in this order |
| `between` | a number, or a date, is between the two of `[low, high]`, or one of them |
| `contains` `in` | a text has a part, a list an equal element, an object a key; `in` looks the other way round |
| `startsWith` `endsWith` | a text begins or ends so |
| `matches` | the regular expression (RE2, linear in time) is found in the text; `^` and `$` tie it to the ends |
| `isEmpty` `isNotEmpty` | null, or a text, list or object without anything in it |
| `exists` `isNull` | it is not null; it is null or missing |
| `isText` `isNumber` `isBoolean` `isList` `isObject` | its type |
| `isDate` `isEmail` `isUrl` | a text is ISO 8601, has the form of an email address, is a http or https URL |
| `before` `after` | a date is earlier, or later |
| `within` | a date is at most a duration away from now, or, with `{duration, of}`, from another date |
| `withinLast` `withinNext` | a date lies in the last, or next, such duration |
| `onWeekday` | it is on one of these days: 1 (Monday) to 7, or `mon`, `Monday`, … |
| `inBusinessHours` | it is inside `{days, from, to, holidays}`, see below |

Business hours are `days` as above, else Monday to Friday; `from` and `to` such as `09:00`, the end excluded, past
midnight when it is not later; `holidays`, a list of dates. A date is ISO 8601 text or milliseconds since 1970, a
duration seconds or ISO 8601 text such as `P7D` or `PT90M`. Operators of dates may have a `zone`, such as
`Europe/Berlin`: dates without an offset, weekdays and hours are those of that zone, else UTC.

A condition that cannot be decided is not false: a value read from nothing, or an operator that does not fit its values,
fails the node with `CONDITION_FAILED`. With `onUnclear: route` the input goes on on `unclear` instead. Write
`input.a?.b` where `a` may be missing.

The log keeps the decision: every part that was looked at, with its values and its result, null where there is none.
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
        "Office hours, and a way out": {
            "condition": {
                "left": "{{ now }}",
                "op": "inBusinessHours",
                "right": {"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "17:30"},
                "zone": "{{ input.zone }}",
            },
            "onUnclear": "route",
        },
    },
)
