"""Expressions over the elements of a list: natively one by one, else all in one trip to the sandbox."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.expressions import (
    EvaluationError,
    Expression,
    NeedsSandbox,
    Scope,
    compile_expression,
    evaluate,
    truthy,
)
from domain.json import JSON
from jobs.nodes.base import Services

_AT_ONCE = 1_000
"""Elements evaluated before other executions get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """A list and the scope its expressions see; `item`, `index` and `items` are added to it.

    Every method raises EvaluationError, natively with the element's place in the message.
    """

    items: Sequence[JSON]
    scope: Scope
    services: Services

    async def map(self, expression: Expression) -> list[JSON]:
        """The expression's value for each element."""
        if expression.native:
            try:
                return await self._each(expression)
            except NeedsSandbox:
                pass
        return list(await self.services.evaluate_each(expression, self.scope, self.items))

    async def filter(self, expression: Expression) -> list[JSON]:
        """The elements for which the expression is true, as JavaScript understands it."""
        kept = await self.map(expression)
        return [item for item, value in zip(self.items, kept, strict=True) if truthy(value)]

    async def reduce(self, expression: Expression, initial: JSON) -> JSON:
        """The expression's last value, each seeing the one before as `acc`."""
        if expression.native:
            try:
                result = initial
                scope = self._local()
                for at, item in enumerate(self.items):
                    scope |= {"item": item, "index": at, "acc": result}
                    result = _value(expression, scope, at)
                    await _pause(at)
                return result
            except NeedsSandbox:
                pass
        source = f"items.reduce((acc, item, index) => ({expression.source}\n), initial)"
        return await self._in_sandbox(source, initial=initial)

    async def _each(self, expression: Expression) -> list[JSON]:
        scope = self._local()
        values: list[JSON] = []
        for at, item in enumerate(self.items):
            scope["item"], scope["index"] = item, at
            values.append(_value(expression, scope, at))
            await _pause(at)
        return values

    def _local(self) -> dict[str, JSON]:
        return {**self.scope, "items": self.items}

    async def _in_sandbox(self, source: str, **names: JSON) -> JSON:
        return await self.services.evaluate(compile_expression(source), {**self._local(), **names})


def _value(expression: Expression, scope: Mapping[str, JSON], at: int) -> JSON:
    try:
        return evaluate(expression, scope)
    except NeedsSandbox:
        raise
    except EvaluationError as error:
        raise EvaluationError(f"{error.message} for the element at {at}", source=expression.source) from None


async def _pause(at: int) -> None:
    if at % _AT_ONCE == _AT_ONCE - 1:
        await asyncio.sleep(0)
