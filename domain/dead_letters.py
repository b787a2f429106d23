"""Dead letters: executions that failed and that nobody has dealt with yet, to be inspected, replayed or dismissed.

An entry is the failed execution itself. It leaves the queue when a retry of it is started, or somebody dismisses it;
if the retry fails too, that one is in the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import InvalidState, NotFound, Refusal, TooLarge
from domain.executions import Execution, LogReader
from domain.executions_control import load
from domain.executions_plans import Plans
from domain.executions_retry import RetryRequest, retry
from domain.executions_start import Starting
from domain.ids import ExecutionId, WorkflowId, encode
from domain.json import JSON, JSONObject
from domain.paging import Page, Place, Slice
from domain.storable import checked, checked_text
from domain.tenancy import Principal

MAX_AT_ONCE = 100
MAX_REASON = 1_000


class DeadLetterState(StrEnum):
    OPEN = "OPEN"
    REPLAYED = "REPLAYED"
    DISMISSED = "DISMISSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A failed execution that no other one began, drafts and tests left out. `error` is its {code, message, …}.

    `replay_id`: its latest retry. `dismissed_by`: the TypeID of who took it out of the queue.
    """

    id: ExecutionId
    workflow_id: WorkflowId
    failed_at: datetime
    error: JSONObject | None
    replay_id: ExecutionId | None = None
    dismissed_at: datetime | None = None
    dismissed_by: str | None = None
    reason: str | None = None

    @property
    def state(self) -> DeadLetterState:
        if self.replay_id is not None:
            return DeadLetterState.REPLAYED
        return DeadLetterState.OPEN if self.dismissed_at is None else DeadLetterState.DISMISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """Every part given must hold. `code`: that of the error; times are those of the failure, `until` not included."""

    workflow_id: WorkflowId | None = None
    code: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """`by` is the TypeID of who does it."""

    by: str
    at: datetime
    reason: str | None = None


class DeadLetterStore(Protocol):
    """Born with a tenant; another tenant's failures are not there."""

    async def by_ids(self, ids: Sequence[ExecutionId]) -> Sequence[DeadLetter]:
        """Those of these executions that are or were dead letters, whatever their state, in any order."""
        ...

    async def page(self, chosen: DeadLetterFilter, page: Page) -> Slice[DeadLetter]:
        """Open ones, the execution begun last first; `Place.value` is None."""
        ...

    async def count(self, chosen: DeadLetterFilter) -> int:
        """Open ones."""
        ...

    async def dismiss(self, ids: Sequence[ExecutionId], dismissal: Dismissal) -> None:
        """Those that are open, in one commit."""
        ...

    async def purge(self, chosen: DeadLetterFilter, dismissal: Dismissal) -> int:
        """Dismiss all open ones of the filter in one commit; how many they were."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """What replays need: bound to one tenant."""

    store: DeadLetterStore
    starting: Starting
    log: LogReader
    plans: Plans


def place(letter: DeadLetter) -> Place:
    return Place(id=letter.id)


async def replay(
    ids: Sequence[ExecutionId], edited: bool, input: JSON, *, by: Principal, given: Replaying, now: datetime
) -> Sequence[Execution | Refusal]:
    """Each one's retry, from the step that failed, or why it has none, in order.

    `edited`: `input` replaces that step's. Asked again, the same retries answer. Raises TooLarge for more than 100.
    """
    _refuse_many(ids)
    if edited:
        checked(input, "input")
    letters = {letter.id: letter for letter in await given.store.by_ids(ids)}
    answers: list[Execution | Refusal] = []
    for execution_id in ids:
        try:
            letter = letters.get(execution_id)
            if letter is None:
                raise _missing(execution_id)
            answers.append(await _replayed(letter, edited, input, by, given, now))
        except Refusal as refusal:
            answers.append(refusal)
    return answers


async def dismiss(
    ids: Sequence[ExecutionId], reason: str | None, *, by: Principal, store: DeadLetterStore, now: datetime
) -> Sequence[DeadLetter | Refusal]:
    """Each one as it is then, or why it is none, in order. Who was replayed or dismissed before stays so."""
    _refuse_many(ids)
    dismissal = _dismissal(reason, by, now)
    await store.dismiss(ids, dismissal)
    letters = {letter.id: letter for letter in await store.by_ids(ids)}
    return [letters.get(execution_id) or _missing(execution_id) for execution_id in ids]


async def purge(
    chosen: DeadLetterFilter, reason: str | None, *, by: Principal, store: DeadLetterStore, now: datetime
) -> int:
    """Dismiss all that the filter chooses; how many. The executions stay as long as any others do."""
    return await store.purge(chosen, _dismissal(reason, by, now))


async def _replayed(
    letter: DeadLetter, edited: bool, input: JSON, by: Principal, given: Replaying, now: datetime
) -> Execution:
    if letter.replay_id is not None:
        return await load(letter.replay_id, given.starting.executions)
    if letter.dismissed_at is not None:
        raise InvalidState(
            f"The dead letter {encode('execution', letter.id)} was dismissed",
            remedy="executionRetry repeats any execution that is over.",
        )
    # The key makes two clicks at once one replay.
    key = f"dead-letter:{encode('execution', letter.id)}"
    request = RetryRequest(execution_id=letter.id, input=input, edited=edited, key=key)
    return await retry(request, by=by, given=given.starting, log=given.log, plans=given.plans, now=now)


def _dismissal(reason: str | None, by: Principal, now: datetime) -> Dismissal:
    if reason is not None:
        checked_text(reason, "reason", most=MAX_REASON)
    return Dismissal(by=str(by.actor), at=now, reason=reason)


def _refuse_many(ids: Sequence[ExecutionId]) -> None:
    if len(ids) > MAX_AT_ONCE:
        raise TooLarge(
            f"{len(ids)} dead letters at once; at most {MAX_AT_ONCE} are taken",
            path=("ids",),
            remedy="Send them in several requests.",
        )


def _missing(execution_id: ExecutionId) -> NotFound:
    return NotFound("dead letter", encode("execution", execution_id))
