"""The codes of what does not hold together: shapes, types, ids, edges, cycles. One entry per code."""

from typing import Final

from domain.errors import ValidationLevel
from domain.validation.codes.code import ERROR, INFO, WARNING, Declaring, FindingCode

_code: Final = Declaring(ValidationLevel.STRUCTURAL)
_LEAVE_OUT: Final = "Leave it out."
_WRITE: Final = "Write the value: it is part of the graph, so it cannot be an expression."

STRUCTURAL: Final[tuple[FindingCode, ...]] = (
    _code("BAD_ADDRESS", "An e-mail address is none.", "Give name@example.com, or an expression."),
    _code("BAD_AT_MOST_ONCE", "`atMostOnce` stands on a node that does nothing outside.", _LEAVE_OUT),
    _code("BAD_BODY_TYPE", "A webhook's body cannot be a file.", "Send JSON with a link to it."),
    _code("BAD_BRANCH", "A branch of a `parallel` is no name, or its name is taken.", "Choose another name."),
    _code("BAD_CACHE", "`cache` stands on a node whose result is not its own.", "Cache what computes or fetches."),
    _code("BAD_CANCEL", "What a `cancel` node cancels is an expression.", _WRITE),
    _code("BAD_CASE", "A case of a `switch` has no condition, two of them, or a name that is taken.", "Give one."),
    _code("BAD_CONNECTOR", "A provider or an action is an expression.", _WRITE),
    _code("BAD_DELAY", "A `delay` has neither `seconds` nor `until`, both, or a moment that is none.", "Give one."),
    _code("BAD_DURATION", "A duration is negative, nothing, or longer than a year.", "Give a number of seconds."),
    _code("BAD_EACH", "`each` is no list.", "Give a list, an expression, or {items, concurrency, errorHandling}."),
    _code("BAD_EXPRESSION", "An expression or a condition does not compile.", "Mend it where the message points."),
    _code("BAD_HEADER", "A header is Weir's own, or no header.", _LEAVE_OUT),
    _code(
        "BAD_JOIN", "`join`, or the config of a `merge`, waits for what cannot come.", "Use mode and n.", ERROR, WARNING
    ),
    _code("BAD_LOOP", "Keys of a `loop` do not go together.", "Leave one of them out, or change the type."),
    _code("BAD_MAXIMUM", "`maxIterations` of an edge is less than 1.", "Say how often the edge may be taken."),
    _code("BAD_METHOD", "A webhook is sent with a method that only reads.", "Leave it out: it is POST."),
    _code(
        "BAD_RETRY",
        "`retry` has too many attempts, or delays that do not go together.",
        "Give 1 to 100.",
        ERROR,
        WARNING,
    ),
    _code("BAD_SCHEMA", "A JSON Schema is none, or refers out of itself.", "Refer to #/$defs/… in the same schema."),
    _code("BAD_SETTING", "A limit of the workflow's settings is less than 1.", "Leave it out for no limit."),
    _code("BAD_SUBWORKFLOW", "A `subworkflow` reacts to the end of a child it does not wait for.", "Wait for it."),
    _code("BAD_TASK", "The people, the form or the times of an `approval` are not right.", "Mend what is named."),
    _code(
        "BAD_URL", "A URL is not absolute, and there is no connection it could belong to.", "Begin it with https://."
    ),
    _code("BAD_WAIT", "A `wait` waits for nothing, or for several things at once.", "Give exactly one."),
    _code("CONFLICTING_KEYS", "Two keys exclude each other.", "Leave one of them out."),
    _code("DANGLING_EDGE", "An edge begins or ends at a node that is not there.", "Name a node, or remove the edge."),
    _code("DEMO_NOT_STARTED", "An imported document names a demo server.", "Run the file with `weir run`.", INFO),
    _code("DUPLICATE_EDGE", "Two edges are equal.", "Remove one of them.", WARNING),
    _code("DUPLICATE_ID", "Two nodes have the same id.", "Give one of them another id."),
    _code("EMPTY", "A graph has no nodes.", "Begin with a trigger node."),
    _code("ENTRY_INSIDE", "A trigger stands in a body.", "Leave it out: a body begins where no edge leads to."),
    _code("ERROR_NOT_ROUTED", "An edge leaves on `error`, which is never taken.", "Set onError to route.", WARNING),
    _code("MAXIMUM_UNUSED", "`maxIterations` stands on an edge that closes no cycle.", "Remove it.", WARNING),
    _code("MISSING", "A key is missing.", "Give it."),
    _code("MORE", "There are more findings than are listed.", "Mend the first ones and look again.", INFO),
    _code("NO_ENTRY", "Nothing can begin.", "Add a trigger node, in a body a node that no edge leads to."),
    _code("PARAMETER_MISSING", "A statement has a parameter without a value.", "Add it to parameters."),
    _code("PARAMETER_UNUSED", "A statement does not use a parameter.", "Remove it, or use it."),
    _code("ROUTE_WITHOUT_EDGE", "A node routes its error, and no edge leaves on `error`.", "Add the edge.", WARNING),
    _code("STATEMENT_INVALID", "A SQL statement cannot be read, or is several.", "Write one statement."),
    _code("TOO_DEEP", "Too many bodies lie in one another.", "Call a workflow of its own with a subworkflow node."),
    _code("TOO_LARGE", "The graph has too many nodes or edges.", "Split it into workflows that start one another."),
    _code("TRIGGER_NOT_MADE", "A trigger of an imported document could not be made.", "Make it by hand.", WARNING),
    _code("UNBOUNDED_CYCLE", "A cycle has no maximum.", "Give the edge that closes it a maxIterations."),
    _code("UNKNOWN_ACTION", "The provider has no such action.", "Choose one of those listed."),
    _code("UNKNOWN_KEY", "A key is not known, or not with these others.", "Remove it, or write it as suggested."),
    _code("UNKNOWN_KIND", "There is no such node kind.", "Write it as suggested, or install the plug-in it is from."),
    _code("UNKNOWN_MODULE", "A module cannot be loaded in the sandbox.", "Choose one of those listed."),
    _code("UNKNOWN_PROVIDER", "There is no such provider.", "Choose one of those listed."),
    _code("WRONG_CONNECTION", "A `database` node has no connection, or a file besides.", "Give one of them."),
    _code("WRONG_SHAPE", "A value has the wrong type, or is outside its range.", "Give what the field asks for."),
)
