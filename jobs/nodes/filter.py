"""The `filter` node: a list parted by a condition on its elements."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from domain.conditions import Condition
from domain.engine.outcomes import Completed, Outcome
from domain.expressions import EvaluationError, Expression, Scope, truthy
from domain.graphs import OUT
from domain.json import JSON, JSONObject, as_list, is_list
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.conditions import UNCLEAR, ConditionFailed, Decider, preview
from jobs.nodes.fields import Compiled

REJECTED: Final = "rejected"
_SHOWN = 20
_AT_ONCE = 500
"""Elements decided before other executions get their turn."""
ItemCondition = Annotated[Condition, Compiled("condition", ("item", "index", "items"))]


class FilterConfig(NodeConfig):
    items: object = Field(None, description="The list, or the single value; the node's input when left out.")
    condition: ItemCondition = Field(description="As in an if node; the element is item, its place index.")
    on_unclear: Literal["fail", "route"] = Field(
        "fail", description="When it cannot be decided for an element: fail, or put that on the output unclear."
    )


async def run(step: StepContext, config: FilterConfig) -> Outcome:
    given = step.config.get("items", step.input)
    single = not is_list(given)
    items = (given,) if single else as_list(given)
    parting = _Parting(step, config, items)
    try:
        await parting.part()
    except ConditionFailed as failed:
        return failed.as_outcome()
    return _single(given, parting) if single else _several(parting)


class _Parting:
    """Which way each element goes, and why: the first of them with the values that were compared."""

    def __init__(self, step: StepContext, config: FilterConfig, items: Sequence[JSON]) -> None:
        self.parts: dict[str, list[JSON]] = {OUT: [], REJECTED: [], UNCLEAR: []}
        self.decisions: list[JSON] = []
        self._step = step
        self._config = config
        self._items = items
        self._decider = Decider(services=step.services)

    async def part(self) -> None:
        """Raises ConditionFailed, which names the element, unless such elements have an output."""
        scope = {**self._step.scope, "items": self._items}
        condition = self._config.condition
        if isinstance(condition, Expression) and not condition.native and len(self._items) > 1:
            values = await self._in_one_trip(condition, scope)
            if values is not None:
                for at, value in enumerate(values):
                    trace: JSONObject = {"value": preview(value), "result": truthy(value)}
                    self._put(at, OUT if truthy(value) else REJECTED, trace)
                return
        for at, item in enumerate(self._items):
            await self._decide(at, {**scope, "item": item, "index": at})
            if at % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    async def _in_one_trip(self, expression: Expression, scope: Scope) -> Sequence[JSON] | None:
        """The expression's values, all from one call of the sandbox; None when one failed and the others count."""
        try:
            return await self._step.services.evaluate_each(expression, scope, self._items)
        except EvaluationError as error:
            if self._config.on_unclear == "fail":
                raise ConditionFailed(str(error)) from None
            return None

    async def _decide(self, at: int, scope: Scope) -> None:
        try:
            verdict = await self._decider.decide(self._config.condition, scope)
        except ConditionFailed as failed:
            if self._config.on_unclear == "fail":
                where = f" for the element at {at}" if len(self._items) > 1 else ""
                raise ConditionFailed(f"{failed}{where}", {**failed.trace, "index": at}) from None
            self._put(at, UNCLEAR, failed.trace)
        else:
            self._put(at, OUT if verdict.result else REJECTED, verdict.trace)

    def _put(self, at: int, handle: str, trace: JSONObject) -> None:
        self.parts[handle].append(self._items[at])
        if at < _SHOWN:
            self.decisions.append({**trace, "index": at})


def _several(parting: _Parting) -> Completed:
    counts = {handle: len(part) for handle, part in parting.parts.items() if part or handle != UNCLEAR}
    others = {handle: part for handle, part in parting.parts.items() if part and handle != OUT}
    return Completed(
        output=parting.parts[OUT],
        handles=(OUT, *others),
        outputs=others,
        decision={**counts, "elements": parting.decisions},
    )


def _single(value: JSON, parting: _Parting) -> Completed:
    [handle] = [handle for handle, part in parting.parts.items() if part]
    return Completed(output=value, handles=(handle,), decision=parting.decisions[0])


def handles(config: JSONObject) -> Sequence[str]:
    return (OUT, REJECTED, UNCLEAR) if config.get("onUnclear") == "route" else (OUT, REJECTED)


KIND = define(
    name="filter",
    title="Filter",
    description="Parts a list by a condition on its elements.",
    category=NodeCategory.DATA,
    config=FilterConfig,
    run=run,
    outputs=(OUT, REJECTED),
    handles=handles,
    documentation="""
The condition is decided for every element, which it sees as `item`, at `index`; the whole list is `items`. `out` is
always taken and carries the list of elements for which it is true, maybe an empty one; `rejected` carries the list of
the others and is taken when there are any. The node's output is what it kept.

A value that is no list is decided on by itself and goes on, unchanged, on one of the outputs.

Conditions are those of the `if` node. One that cannot be decided fails the node with `CONDITION_FAILED` and names the
element; with `onUnclear: route` such elements go on as a list on `unclear`. The log keeps how many went which way and
the decisions on the first 20.

Over long lists an expression is quickest: one that needs the sandbox goes there once for all elements, comparisons with
such expressions in them once for each.
""",
    examples={
        "What is in stock": {"condition": "item.stock > 0"},
        "Recent orders from home": {
            "items": "{{ input.orders }}",
            "condition": {
                "all": [
                    {"left": "{{ item.country }}", "op": "==", "right": "DE"},
                    {"left": "{{ item.placedAt }}", "op": "withinLast", "right": "P7D"},
                ]
            },
            "onUnclear": "route",
        },
    },
)
