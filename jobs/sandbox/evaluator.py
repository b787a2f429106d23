"""Expressions evaluated wherever they can be: natively at once, the others in one trip to the sandbox."""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from domain.expressions import ROOTS, EvaluationError, Expression, NeedsSandbox, Scope, Template, evaluate
from domain.json import JSON, as_list
from jobs.sandbox.outcomes import MEBIBYTE, Failed, Limits
from jobs.sandbox.sandbox import Sandbox

_FOR_LISTS: Final = Limits(seconds=5.0, memory=128 * MEBIBYTE, output=16 * MEBIBYTE)


class Evaluator:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def render(self, tenant: str, template: Template, scope: Scope) -> JSON:
        """The config value for this scope. Raises EvaluationError, which names the expression that failed."""
        if template.native:
            try:
                return template.render(scope)
            except NeedsSandbox:
                pass
        return template.fill(await self._values(tenant, template.expressions, scope))

    async def evaluate(self, tenant: str, expression: Expression, scope: Scope) -> JSON:
        """The value of one expression. Raises EvaluationError."""
        return (await self._values(tenant, [expression], scope))[0]

    async def evaluate_each(
        self, tenant: str, expression: Expression, scope: Scope, items: Sequence[JSON]
    ) -> Sequence[JSON]:
        """The expression's value for each element, which is `item`, at `index`, in one trip to the sandbox for all.

        Raises EvaluationError, which names the element.
        """
        [outcome] = await self._sandbox.evaluate(
            tenant,
            [expression.source],
            {**needed([expression], scope), "items": items},
            kind="each",
            limits=_FOR_LISTS,
        )
        if isinstance(outcome, Failed):
            raise EvaluationError(outcome.message, source=expression.source)
        return as_list(outcome.value)

    async def _values(self, tenant: str, expressions: Sequence[Expression], scope: Scope) -> Sequence[JSON]:
        values: list[JSON] = [None] * len(expressions)
        beyond: list[int] = []
        for at, expression in enumerate(expressions):
            try:
                values[at] = evaluate(expression, scope)
            except NeedsSandbox:
                beyond.append(at)
        if not beyond:
            return values
        asked = [expressions[at] for at in beyond]
        outcomes = await self._sandbox.evaluate(
            tenant, [expression.source for expression in asked], needed(asked, scope)
        )
        for at, expression, outcome in zip(beyond, asked, outcomes, strict=True):
            if isinstance(outcome, Failed):
                raise EvaluationError(outcome.message, source=expression.source)
            values[at] = outcome.value
        return values


def needed(expressions: Sequence[Expression], scope: Scope) -> Scope:
    """The part of the scope the expressions can read, so that not every step's output travels to the sandbox.

    Names outside the usual roots go along; of `steps` only those named, unless one expression reads it whole.
    """
    paths = {path for expression in expressions for path in expression.paths}
    roots = {path[0] for path in paths}
    part = {name: value for name, value in scope.items() if name in roots or name not in ROOTS}
    steps = part.get("steps")
    if isinstance(steps, Mapping) and ("steps",) not in paths:
        named = {path[1] for path in paths if path[0] == "steps"}
        part["steps"] = {name: output for name, output in cast("Scope", steps).items() if name in named}
    return part
