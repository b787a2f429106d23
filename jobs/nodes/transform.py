"""The `transform` node: lists and values reshaped by expressions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, assert_never

from pydantic import Field

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding
from domain.expressions import EvaluationError, Expression, Template
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from domain.nodes import NodeCategory
from domain.validation.models import shown
from jobs.nodes.aggregates import Aggregate, NotANumber, aggregated
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import Compiled, template_schema
from jobs.nodes.lists import Lists

ItemExpression = Annotated[Expression, Compiled("expression", ("item", "index", "acc", "items"))]
OutputTemplate = Annotated[Template, Compiled("template", ("output",))]


class TransformConfig(NodeConfig):
    operation: Literal["map", "filter", "reduce", "aggregate", "expression"] = Field(description="What is done.")
    items: list[object] | None = Field(None, description="The list; the node's input when left out.")
    expression: ItemExpression | None = Field(
        None, description="Evaluated once per element, which is item, at index; in reduce the result so far is acc."
    )
    initial: object = Field(None, description="What acc is for the first element.")
    group_by: ItemExpression | None = Field(None, description="With aggregate: one result per value of this.")
    aggregates: dict[str, Aggregate] = Field(
        default_factory=dict[str, Aggregate], description="With aggregate: what to compute, by name."
    )
    input_mapping: dict[str, object] | None = Field(None, description="What the expression sees as input.")
    output_mapping: dict[str, OutputTemplate] | None = Field(
        None, description="The output, made from the result, which is output."
    )


async def run(step: StepContext, config: TransformConfig) -> Outcome:
    scope = dict(step.scope)
    if config.input_mapping is not None:
        scope["input"] = step.config["inputMapping"]
    items = step.config.get("items", step.input)
    if config.operation != "expression" and not is_list(items):
        message = f"There is no list to {config.operation}: the items are {shown(items)}"
        return Failed(code="NOT_A_LIST", message=message, retryable=False, remedy="Give items.")
    try:
        result = await _result(step, config, scope, as_list(items))
    except NotANumber as error:
        return Failed(code="NOT_A_NUMBER", message=str(error), retryable=False)
    if config.output_mapping is None:
        return Completed(output=result)
    scope["output"] = result
    mapped = {name: await step.services.render(each, scope) for name, each in config.output_mapping.items()}
    return Completed(output=mapped)


async def _result(step: StepContext, config: TransformConfig, scope: Mapping[str, JSON], items: Sequence[JSON]) -> JSON:
    lists = Lists(items=items, scope=scope, services=step.services)
    if config.operation == "aggregate":
        return await aggregated(lists, config.aggregates, config.group_by)
    if config.expression is None:
        raise EvaluationError(f"There is no expression to {config.operation} by")
    match config.operation:
        case "map":
            return await lists.map(config.expression)
        case "filter":
            return await lists.filter(config.expression)
        case "reduce":
            return await lists.reduce(config.expression, step.config.get("initial"))
        case "expression":
            return await step.services.evaluate(config.expression, {**scope, "items": items})
        case _:
            assert_never(config.operation)


def rules(config: JSONObject) -> Iterator[Finding]:
    operation = config.get("operation")
    if operation == "aggregate":
        wanted, foreign = "aggregates", ("expression", "initial")
    else:
        wanted, foreign = "expression", ("groupBy", "aggregates")
        foreign = foreign if operation == "reduce" else (*foreign, "initial")
    if isinstance(operation, str) and wanted not in config:
        message = f"The operation {operation[:40]} needs {wanted!r}"
        yield Finding(code="MISSING", message=message, path=(wanted,), remedy="Say what it computes.")
    for key in foreign:
        if key in config:
            message = f"{key!r} does not belong to the operation {str(operation)[:40]}"
            yield Finding(code="UNKNOWN_KEY", message=message, path=(key,), remedy="Leave it out.")


def output(config: JSONObject) -> JSONObject:
    if "outputMapping" in config:
        return template_schema(as_object(config["outputMapping"]))
    return {"type": "array"} if config.get("operation") in ("map", "filter") else {}


KIND = define(
    name="transform",
    title="Transform",
    description="Maps, filters, reduces or sums up a list, or computes a value.",
    category=NodeCategory.DATA,
    config=TransformConfig,
    run=run,
    rules=rules,
    output=output,
    documentation="""
| operation | output |
|---|---|
| `map` | a list: the `expression` of every element |
| `filter` | a list: the elements for which the `expression` is true |
| `reduce` | the last value of the `expression`, which sees the one before as `acc`; `initial` comes first |
| `aggregate` | an object: each of `aggregates` over the list; with `groupBy` a list of them, each with its `key` |
| `expression` | the value of the `expression` |

The list is `items`, or the node's input. Expressions see the element as `item`, its place as `index` and the list as
`items`.

An aggregate is `{function, of}`: `sum`, `avg`, `min`, `max` or `count` of an expression. Elements for which it is null
do not count; without any, `sum` and `count` are 0 and the others null.

`inputMapping` makes another `input` for the expressions; `outputMapping` makes the output from the result, which it
sees as `output`.
""",
    examples={
        "Prices with tax": {
            "operation": "map",
            "items": "{{ input.lines }}",
            "expression": "{sku: item.sku, gross: item.price * 1.19}",
        },
        "What is in stock": {"operation": "filter", "expression": "item.stock > 0"},
        "A total": {"operation": "reduce", "expression": "acc + item.price * item.quantity", "initial": 0},
        "Turnover by country": {
            "operation": "aggregate",
            "items": "{{ input.orders }}",
            "groupBy": "item.country",
            "aggregates": {"orders": {"function": "count"}, "turnover": {"function": "sum", "of": "item.total"}},
        },
        "Other names": {
            "operation": "expression",
            "expression": "input.first + ' ' + input.last",
            "outputMapping": {"name": "{{ output }}", "id": "{{ trigger.id }}"},
        },
    },
)
