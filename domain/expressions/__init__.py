"""Expressions in user config: which names other folders use. See docs/expressions.md."""

from domain.expressions.coercion import truthy
from domain.expressions.compile import Expression, Scope, compile_expression, evaluate
from domain.expressions.errors import EvaluationError, ExpressionError, NeedsSandbox
from domain.expressions.paths import ROOTS
from domain.expressions.templates import Template, compile_condition, compile_value, expressions_in

__all__ = [
    "ROOTS",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "NeedsSandbox",
    "Scope",
    "Template",
    "compile_condition",
    "compile_expression",
    "compile_value",
    "evaluate",
    "expressions_in",
    "truthy",
]
