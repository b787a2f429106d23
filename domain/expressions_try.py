"""Trying an expression out while writing it: its value, or what is wrong with it, both as values."""

from dataclasses import dataclass
from typing import Protocol

from domain.expressions import (
    EvaluationError,
    Expression,
    ExpressionError,
    Scope,
    Template,
    compile_expression,
    compile_value,
)
from domain.ids import TenantId, encode
from domain.json import JSON, JSONObject
from domain.storable import checked

MAX_SCOPE_BYTES = 256 * 1024


class Evaluator(Protocol):
    """Expressions of whatever kind; `tenant` has its own turn in the sandbox."""

    async def render(self, tenant: str, template: Template, scope: Scope) -> JSON:
        """Raises EvaluationError."""
        ...

    async def evaluate(self, tenant: str, expression: Expression, scope: Scope) -> JSON:
        """Raises EvaluationError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """`error` None: it has the value. `position`: where in the text the error shows, when it does."""

    value: JSON = None
    error: str | None = None
    position: int | None = None


async def evaluate(text: str, scope: JSONObject, *, tenant_id: TenantId, evaluator: Evaluator) -> Tried:
    """The value of an expression, or of a text with `{{ }}` in it. Raises Invalid or TooLarge for the scope."""
    checked(scope, "scope", most=MAX_SCOPE_BYTES)
    return await evaluate_seen(text, scope, tenant_id=tenant_id, evaluator=evaluator)


async def evaluate_seen(text: str, scope: JSONObject, *, tenant_id: TenantId, evaluator: Evaluator) -> Tried:
    """As `evaluate`, for a scope out of an execution, which may be as large as its outputs."""
    tenant = encode("tenant", tenant_id)
    try:
        if "{{" in text:
            value = await evaluator.render(tenant, compile_value(text), scope)
        else:
            value = await evaluator.evaluate(tenant, compile_expression(text), scope)
    except ExpressionError as error:
        return Tried(error=error.message, position=error.position)
    except EvaluationError as error:
        return Tried(error=error.message)
    return Tried(value=value)
