"""Refusals of what a node asks of a port, as outcomes of the node."""

from domain.engine.outcomes import Failed
from domain.errors import Refusal


def refused(error: Refusal) -> Failed:
    """The same would be refused again, so it is not tried again."""
    return Failed(code=error.code.value, message=error.message, retryable=False, remedy=error.remedy)
