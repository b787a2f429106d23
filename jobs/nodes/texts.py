"""Any JSON value as the text of a message."""

from domain.expressions.templates import text_of
from domain.json import JSON

MAX_TEXT = 10_000


def as_text(value: JSON) -> str:
    """Text as it is, other values as JSON; cut after 10,000 characters. Raises EvaluationError beyond 1 MiB."""
    text = text_of(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
