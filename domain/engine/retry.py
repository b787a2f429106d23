"""When a failed attempt is tried again. The random draw is the caller's, so that a log can be folded again."""

from domain.engine.outcomes import Failed
from domain.graphs import Backoff, Retry

_LONGEST_WISH = 24 * 3600.0
"""Seconds a server's own Retry-After is honoured for at most: it is free to write any number."""


def may_retry(retry: Retry, failed: Failed, attempt: int) -> bool:
    """Whether attempt number `attempt` (from 1) is followed by another."""
    if attempt >= retry.max_attempts:
        return False
    if retry.retry_on:
        return failed.code in retry.retry_on
    return failed.retryable


def delay(retry: Retry, failed: Failed, attempt: int, draw: float) -> float:
    """Seconds until the next attempt; `draw` is in [0, 1).

    With jitter the delay lies between half and the whole of the computed one ("equal jitter", AWS Architecture
    Blog, Exponential Backoff And Jitter). A server's own Retry-After is honoured when it asks for more, up to a day.
    """
    match retry.backoff:
        case Backoff.FIXED:
            seconds = retry.initial_delay
        case Backoff.LINEAR:
            seconds = retry.initial_delay * attempt
        case Backoff.EXPONENTIAL:
            seconds = retry.initial_delay * 2.0 ** min(attempt - 1, 60)
    seconds = min(seconds, retry.max_delay)
    if retry.jitter:
        seconds *= 0.5 + draw / 2
    return max(seconds, min(failed.retry_after or 0.0, _LONGEST_WISH))
