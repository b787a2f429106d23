"""What can be wrong with an expression: when it is written, and when it is evaluated."""

from collections.abc import Sequence

from domain.errors import Refusal

SHOWN = 80
"""How much of a source an error message quotes, in characters."""


class ExpressionError(Refusal):
    """The text is no JavaScript expression; `position` is the offset in `source` where that shows."""

    def __init__(self, message: str, *, position: int, source: str, path: Sequence[str] = ()) -> None:
        super().__init__(message, path=path, remedy="Expressions are JavaScript; see the guide to expressions")
        self.position = position
        self.source = source

    def at(self, path: Sequence[str]) -> "ExpressionError":
        """The same error, told for the place `path` inside a config value."""
        return ExpressionError(self.message, position=self.position, source=self.source, path=path)


class EvaluationError(Exception):
    """The expression gave no value; the message is JavaScript's (`TypeError: …`) or names the limit."""

    def __init__(self, message: str, *, source: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.source = source

    def __str__(self) -> str:
        return f"{self.message} in {self.source[:SHOWN]!r}" if self.source else self.message


class NeedsSandbox(EvaluationError):
    """The value at hand leads beyond the native subset (a method, a very long list); the sandbox can say it."""


class OutOfRange(Exception):
    """A function cannot do this with such arguments, the message says why; never leaves this folder."""


class Beyond(Exception):
    """Maybe JavaScript, but not of the native subset; never leaves this folder."""
