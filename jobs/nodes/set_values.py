"""The `set` node: names values for the rest of the execution."""

from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Completed, Outcome
from domain.json import JSON, JSONObject, as_object
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import TemplateField, template_schema

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class SetConfig(NodeConfig):
    values: dict[VariableName, TemplateField] = Field(
        description="Names and values, set in this order; one may use those above it as vars.name.",
        min_length=1,
    )
    keep_only: bool = Field(False, description="Whether the output has only these values, not the input's too.")


async def run(step: StepContext, config: SetConfig) -> Outcome:
    values: dict[str, JSON] = {}
    variables = dict(as_object(step.scope.get("vars")))
    scope = {**step.scope, "vars": variables}
    for name, template in config.values.items():
        values[name] = variables[name] = await step.services.render(template, scope)
    output = values if config.keep_only else {**as_object(step.input), **values}
    return Completed(output=output, variables=values)


def output(config: JSONObject) -> JSONObject:
    shape = template_schema(as_object(config.get("values")))
    return {**shape, "additionalProperties": config.get("keepOnly") is not True}


KIND = define(
    name="set",
    title="Set values",
    description="Sets variables of the execution and adds them to the data.",
    category=NodeCategory.DATA,
    config=SetConfig,
    run=run,
    output=output,
    documentation="""
Each value becomes a variable, `vars.name`, for every step that runs later, and a field of the output. The output is
the input with these fields over it; with `keepOnly`, or when the input is no object, it is these fields alone.

Values are evaluated from top to bottom: one may use those above it. Steps that read and set one variable at the same
moment may overwrite each other's value: give them a `lock`, so that they take turns.
""",
    examples={
        "Compute a total": {"values": {"net": "{{ input.price * input.quantity }}", "gross": "{{ vars.net * 1.19 }}"}},
        "Keep only this": {"values": {"reason": "Out of stock"}, "keepOnly": True},
    },
)
