"""Steps that hold a named lock: asked for before they run, waited for as for a signal, given up when they are over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from domain.engine.outcomes import Cause, Failed, TimerDue, Waiting
from domain.engine.state import StepState
from domain.errors import Invalid
from domain.expressions import Template, compile_value
from domain.graphs import Node
from domain.ids import ExecutionId
from domain.json import JSON, as_object
from domain.locks import Granted, LockDesk, LockRequest, check_request, signal_name

Render: TypeAlias = Callable[[Template], Awaitable[JSON]]
_Answer = TypeVar("_Answer")

_PAUSE = 0.5
"""Seconds between questions to a database that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The `lock` of a node, made ready. `timeout`: seconds to wait for it."""

    name: Template
    seats: int
    timeout: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The step has its lock, if it needs one; `cause` is what its node is to be resumed with, None to run."""

    cause: Cause | None


def lock_of(node: Node) -> Lock | None:
    """Its shape is validation's to say; raises KeyError, TypeError or ValueError for another, ExpressionError."""
    if node.lock is None:
        return None
    given = as_object(node.lock)
    seats, timeout = given.get("limit", 1), given.get("timeout")
    if not isinstance(seats, int) or not isinstance(timeout, int | float | None):
        raise TypeError("a lock's limit and timeout are numbers")
    return Lock(name=compile_value(given["name"]), seats=seats, timeout=timeout)


def awaits_lock(step: StepState) -> bool:
    """Whether it is for its lock that the step waits."""
    return step.wait is not None and signal_name(step.path) in step.wait.signals


async def hold(
    lock: Lock,
    step: StepState,
    cause: Cause | None,
    *,
    execution_id: ExecutionId,
    desk: LockDesk,
    render: Render,
    at: datetime,
) -> Held | Waiting | Failed:
    """Come to hold the step's lock. A step that is resumed with something of its own holds it already.

    Asking again is harmless: it is the same request, in its old place.
    """
    if cause is not None and not awaits_lock(step):
        return Held(cause=cause)
    if isinstance(cause, TimerDue):
        await _patiently(lambda: desk.release(execution_id, step.path))
        message = f"The lock was not free within {lock.timeout:g} s"
        return Failed(code="LOCK_TIMEOUT", message=message, remedy="Wait longer, or raise the lock's limit.")
    name = await render(lock.name)
    if not isinstance(name, str):
        return Failed(code="LOCK_INVALID", message="The lock's name is no text", retryable=False)
    try:
        check_request(name, lock.seats)
    except Invalid as error:
        return Failed(code="LOCK_INVALID", message=error.message, retryable=False, remedy=error.remedy)
    request = LockRequest(execution_id=execution_id, path=step.path, name=name, seats=lock.seats)
    answer = await _patiently(lambda: desk.acquire(request))
    if isinstance(answer, Granted):
        return Held(cause=None)
    until = at + timedelta(seconds=lock.timeout) if lock.timeout is not None else None
    about: dict[str, JSON] = {"name": name, "position": answer.position}
    return Waiting(until=until, signal=signal_name(step.path), lock=about)


async def _patiently(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """The database's answer, however long it is away: the step's own timeout does not run yet."""
    while True:
        try:
            return await ask()
        except ConnectionError:
            await asyncio.sleep(_PAUSE)
