"""The codes of what cannot mean what was meant: names, order, types, ways that are never taken. One entry per code."""

from typing import Final

from domain.errors import ValidationLevel
from domain.validation.codes.code import WARNING, Declaring, FindingCode

_code: Final = Declaring(ValidationLevel.SEMANTIC)

SEMANTIC: Final[tuple[FindingCode, ...]] = (
    _code("CONSTANT_CONDITION", "A condition reads nothing, so it is always the same.", "Compare something.", WARNING),
    _code("NO_CONNECTION", "A node names a connection that is not there.", "Make it, or name another.", WARNING),
    _code(
        "NO_VALUE_HERE",
        "`item` or `index` is read outside a loop, or `error` where no failure leads to.",
        "Read it inside the loop, or behind an edge on `error`.",
        WARNING,
    ),
    _code(
        "STEP_NOT_BEFORE",
        "`steps.x` is read where x has not run before: it comes later, or lies on another branch.",
        "Lead a way from x to the node that reads it.",
        WARNING,
    ),
    _code(
        "TYPE_MISMATCH",
        "A field gets a value of a type it does not take, as the schemas of both say.",
        "Pass another value, or convert it.",
        WARNING,
    ),
    _code("UNKNOWN_CALLBACK", "`execution.callbacks.x`, and x does not wait for a call.", "Name a wait node.", WARNING),
    _code("UNKNOWN_FIELD", "A field is read that the value does not have.", "Write it as suggested.", WARNING),
    _code("UNKNOWN_HANDLE", "An edge uses an output or input that the node does not have.", "Choose one it has."),
    _code("UNKNOWN_NAME", "An expression uses a name that is not defined there.", "Write it as suggested.", WARNING),
    _code("UNKNOWN_NODE", "A `cancel` node names a node that is not in its graph.", "Name one that is.", WARNING),
    _code("UNKNOWN_STEP", "`steps.x` refers to a node that is not in the graph.", "Write it as suggested."),
    _code(
        "UNKNOWN_VARIABLE",
        "`vars.x` is neither a variable of the workflow nor set by a node.",
        "Declare the variable, or set it in a node before.",
        WARNING,
    ),
    _code("UNREACHABLE", "A node is never reached.", "Lead an edge to it, or remove it.", WARNING),
    _code(
        "UNREACHABLE_CASE",
        "A case of a `switch` is never taken: one above it always is, or asks for the same.",
        "Remove it, move it up, or change what it asks for.",
        WARNING,
    ),
    _code(
        "WRONG_CONNECTION_TYPE",
        "A node names a connection of a type it cannot use.",
        "Name a connection of a type the node takes.",
        WARNING,
    ),
)
