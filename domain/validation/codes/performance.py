"""The codes of what runs, but badly: too wide, too often, too large. One entry per code."""

from typing import Final

from domain.errors import ValidationLevel
from domain.validation.codes.code import ERROR, INFO, WARNING, Declaring, FindingCode

_code: Final = Declaring(ValidationLevel.PERFORMANCE)

PERFORMANCE: Final[tuple[FindingCode, ...]] = (
    _code(
        "CHATTY_POLLING",
        "A loop calls another system again and again, with hardly a pause.",
        "Put a delay of some seconds into the loop, or wait for a signal or callback instead.",
        WARNING,
        INFO,
    ),
    _code("HUGE_LOOP", "A loop or a cycle may go round very often.", "Lower the maximum; split the work.", WARNING),
    _code("INLINE_FILE", "A file stands in the config as text.", "Upload it and pass the reference.", WARNING),
    _code("LARGE_VALUE", "A config or a default holds much data.", "Keep it in a file or a database.", WARNING, INFO),
    _code(
        "LOOP_BEYOND_MAXIMUM",
        "A loop has more to do than its maximum allows, so it always fails.",
        "Raise maxIterations, or loop over less.",
        ERROR,
    ),
    _code(
        "LOOP_WITHOUT_MAXIMUM",
        "A `while` loop says no `maxIterations`: the default ends it with a failure.",
        "Give it the maxIterations that is right for it.",
        INFO,
    ),
    _code("MANY_STEPS", "Loops in loops come to very many steps.", "Loop over less, or split the work.", WARNING),
    _code(
        "WIDE_FAN_OUT",
        "More steps than a worker runs may be under way at once.",
        "Lower the concurrency, or let fewer branches begin together.",
        WARNING,
    ),
)
