"""GraphQL over server-sent events, one connection for each operation: changes when the form of the stream does.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, "distinct connections mode".
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from domain.errors import Unauthenticated
from schema.cohorts import written
from schema.masking import unexpected
from schema.payloads import encoded

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store, no-transform",  # an intermediary that compresses would hold events back
    "X-Accel-Buffering": "no",
}
PING = b": ping\n\n"
COMPLETE = b"event: complete\ndata:\n\n"  # browsers drop an event without data

_closing: set[asyncio.Task[None]] = set()


async def events(
    results: AsyncGenerator[Any, None], *, heartbeat: float, seconds: float | None
) -> AsyncIterator[bytes]:
    """One `next` for each result, a comment after each silence of `heartbeat` seconds, then `complete`.

    After `seconds` (None: never) the caller's credentials have ended: the stream says so and completes.
    """
    clock = asyncio.get_running_loop().time
    end = float("inf") if seconds is None else clock() + seconds
    # Each step is its own task, so that waiting for it can be interrupted; all share one context, since what a
    # context variable is set to in one step must be there in the next.
    context = contextvars.copy_context()
    step: asyncio.Task[str | None] | None = None
    try:
        while True:
            step = asyncio.create_task(_step(results), context=context)
            while not await _done(step, min(heartbeat, end - clock())) and clock() < end:
                yield PING
            if clock() >= end:
                yield _next(_expired())
                break
            if (result := step.result()) is None:
                break
            yield _next(result)
        yield COMPLETE
    finally:
        closing = asyncio.create_task(_close(results, step), context=context)
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
        await asyncio.shield(closing)  # a caller who has gone cancels us more than once


async def _done(step: asyncio.Task[Any], timeout: float) -> bool:
    await asyncio.wait({step}, timeout=max(timeout, 0))
    return step.done()


async def _step(results: AsyncGenerator[Any, None]) -> str | None:
    """The payload of the next result; None after the last."""
    try:
        result = await anext(results, None)
    except Exception as error:
        return _refused(error)
    return None if result is None else written(result)


async def _close(results: AsyncGenerator[Any, None], step: asyncio.Task[Any] | None) -> None:
    if step is not None:
        step.cancel()
        with suppress(asyncio.CancelledError):
            await step
    await results.aclose()


def _expired() -> str:
    return _refused(Unauthenticated("Token expired", remedy="Subscribe again with a new one."))


def _refused(error: Exception) -> str:
    return encoded({"errors": [unexpected(error).formatted]}).decode()


def _next(response: str) -> bytes:
    return f"event: next\ndata: {response}\n\n".encode()
