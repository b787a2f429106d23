"""Sums, averages, extremes and counts over a list, whole or by group."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, assert_never

import orjson
from pydantic import Field

from domain.conditions_compare import is_number
from domain.expressions import Expression
from domain.json import JSON
from domain.validation.models import shown
from jobs.nodes.base import NodeConfig
from jobs.nodes.fields import Compiled
from jobs.nodes.lists import Lists


class NotANumber(Exception):
    """An aggregate of numbers met something else."""


class Aggregate(NodeConfig):
    function: Literal["sum", "avg", "min", "max", "count"] = Field(description="What is computed.")
    of: Annotated[Expression, Compiled("expression", ("items",))] | None = Field(
        None, description="Of what, by element: an expression over item; the element itself when left out."
    )


async def aggregated(lists: Lists, aggregates: Mapping[str, Aggregate], group_by: Expression | None) -> JSON:
    """`{name: result}`, or with `group_by` a list of `{key, name: result}` in the order keys first appear.

    Raises EvaluationError, NotANumber.
    """
    values = {
        name: await lists.map(aggregate.of) if aggregate.of else list(lists.items)
        for name, aggregate in aggregates.items()
    }
    if group_by is None:
        return _results(aggregates, values, range(len(lists.items)))
    places: dict[bytes, list[int]] = {}
    keys = await lists.map(group_by)
    for at, key in enumerate(keys):
        places.setdefault(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), []).append(at)
    return [{"key": keys[group[0]], **_results(aggregates, values, group)} for group in places.values()]


def _results(
    aggregates: Mapping[str, Aggregate], values: Mapping[str, Sequence[JSON]], places: Sequence[int]
) -> dict[str, JSON]:
    return {
        name: _result(name, aggregate, [values[name][at] for at in places]) for name, aggregate in aggregates.items()
    }


def _result(name: str, aggregate: Aggregate, values: Sequence[JSON]) -> JSON:
    present = [value for value in values if value is not None]
    if aggregate.function == "count":
        return len(present)
    numbers = [value for value in present if is_number(value)]
    if len(numbers) < len(present):
        wrong = next(value for value in present if not is_number(value))
        raise NotANumber(f"{name!r} is the {aggregate.function} of numbers, and one is {shown(wrong)}")
    match aggregate.function:
        case "sum":
            return sum(numbers)
        case "avg":
            return sum(numbers) / len(numbers) if numbers else None
        case "min":
            return min(numbers, default=None)
        case "max":
            return max(numbers, default=None)
        case _:
            assert_never(aggregate.function)
