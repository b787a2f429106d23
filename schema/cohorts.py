"""Executing once what many subscribers are shown: changes when what is shared, or how long it is kept, does.

Every subscriber has a source of its own, with its own cursor and pace. Only the answers are shared: the first who
needs a frame executes and writes it, and who comes to the same frame through the same selection, in the same tenant
and with the same permissions, gets that. docs/adr/0005-identical-subscriptions-share-their-answers.md says why.
"""

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, TypeAlias

from graphql import ExecutionResult
from strawberry.types import ExecutionResult as Served

from schema.masking import presented
from schema.payloads import encoded, payload
from schema.selections import Selection

BUDGET = 16 * 1024 * 1024
OWN_WEIGHT = 4_096
"""Bytes that an answer is taken to need besides its text and the values that this was written from."""
ERROR_LIFE = 1.0
"""Seconds: long enough for all who are shown the same frame now, too short for who comes back to try again."""

Execute: TypeAlias = Callable[[], ExecutionResult | Awaitable[ExecutionResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """What answers depend on besides the frame; `person` counts only for selections that show somebody's own."""

    tenant: Hashable
    permissions: frozenset[str]
    person: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a subscription yields where one answer serves all of an audience.

    `identity` tells `frame` from every other. The same identity means the same answer, so it is for what never
    changes, and for what all subscribers are handed at the same moment.
    """

    frame: object
    identity: Hashable
    audience: Audience


class Data(dict[str, Any]):
    """The data of an answer without errors, and the whole response as JSON, written once."""

    __slots__ = ("text",)

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.text = encoded({"data": data}).decode()


def written(result: Served) -> str:
    """The response as JSON: of a shared answer, the one text that all get."""
    if isinstance(result.data, Data) and not result.errors and not result.extensions:
        return result.data.text
    return encoded(payload(result)).decode()


@dataclass(frozen=True, slots=True)
class Turn:
    """One subscriber's turn at a frame: what graphql-core takes for the executor of an event."""

    cohorts: "Cohorts"
    key: Hashable
    execute: Execute

    def execute_operation(self, serially: bool | None = None) -> ExecutionResult | Awaitable[ExecutionResult]:
        return self.cohorts.answer(self.key, self.execute)


@dataclass(slots=True, eq=False)
class _Running:
    """An execution under way; whoever began it may leave, the others still get its answer."""

    task: Task[ExecutionResult]
    abandon: Callable[[], object]
    waiting: int = 0

    async def answer(self) -> ExecutionResult:
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if not self.waiting and not self.task.done():
                self.abandon()
                self.task.cancel()


@dataclass(slots=True, eq=False)
class Cohorts:
    """The answers of one process; beyond about `budget` bytes the oldest are forgotten, and executed again if need be.

    `executed` counts the frames that were executed, `shared` how often an answer served once more.
    """

    budget: int = BUDGET
    executed: int = 0
    shared: int = 0
    _running: dict[Hashable, _Running] = field(default_factory=dict[Hashable, _Running], repr=False)
    _known: dict[Hashable, ExecutionResult] = field(default_factory=dict[Hashable, ExecutionResult], repr=False)
    _weight: int = 0

    def turn(self, selection: Selection, shared: Shared, execute: Execute) -> Turn:
        audience = shared.audience
        person = audience.person if selection.personal else None
        return Turn(self, (selection.key, audience.tenant, audience.permissions, person, shared.identity), execute)

    def answer(self, key: Hashable, execute: Execute) -> ExecutionResult | Awaitable[ExecutionResult]:
        """The answer for `key`; executed by the first to ask. What an execution raises, all who wait for it get."""
        if (known := self._known.get(key)) is not None:
            self.shared += 1
            return known
        if (running := self._running.get(key)) is not None:
            self.shared += 1
            return running.answer()
        self.executed += 1
        result = execute()
        if isawaitable(result):
            return self._begin(key, result).answer()
        return self._keep(key, _final(result))

    def _begin(self, key: Hashable, result: Awaitable[ExecutionResult]) -> _Running:
        running = _Running(asyncio.ensure_future(_finished(result)), lambda: self._running.pop(key, None))
        self._running[key] = running
        running.task.add_done_callback(lambda task: self._end(key, running))
        return running

    def _end(self, key: Hashable, running: _Running) -> None:
        failed = running.task.cancelled() or running.task.exception() is not None
        if self._running.get(key) is not running:
            return  # everybody had left; it may have been begun anew since
        del self._running[key]
        if not failed:
            self._keep(key, running.task.result())

    def _keep(self, key: Hashable, result: ExecutionResult) -> ExecutionResult:
        self._known[key] = result
        self._weight += _weight(result)
        while self._weight > self.budget:
            oldest = next(iter(self._known))
            self._forget(oldest, self._known[oldest])
        if result.errors:
            asyncio.get_running_loop().call_later(ERROR_LIFE, self._forget, key, result)
        return result

    def _forget(self, key: Hashable, result: ExecutionResult) -> None:
        if self._known.get(key) is result:
            del self._known[key]
            self._weight -= _weight(result)


async def _finished(result: Awaitable[ExecutionResult]) -> ExecutionResult:
    return _final(await result)


def _final(result: ExecutionResult) -> ExecutionResult:
    """The result as every subscriber gets it; an error is masked, and so logged, once for all."""
    if result.errors or result.data is None:
        return ExecutionResult(result.data, [presented(error) for error in result.errors or ()])
    return ExecutionResult(Data(result.data), None)


def _weight(result: ExecutionResult) -> int:
    return OWN_WEIGHT + (2 * len(result.data.text) if isinstance(result.data, Data) else 0)
