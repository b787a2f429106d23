"""Starting executions: one or many in one commit, answered at once or when the execution is over."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from domain.engine.events import TERMINAL
from domain.engine.ports import ExecutionStatus
from domain.environments import DEFAULT
from domain.errors import IdempotencyMismatch, Invalid, NotFound, Refusal, TooLarge
from domain.executions import Execution, ExecutionReader
from domain.executions_prepare import Origin, StartRequest, prepare, refuse_request
from domain.executions_versions import Found, choose, look_up
from domain.ids import ExecutionId, TenantId, encode
from domain.inbox import Doorbell
from domain.live import Changed, Changes, Events, Follower, LiveFeed, Lost
from domain.placements import Placements
from domain.sources import Ids
from domain.starts import NewExecution, Starts, StartStatus
from domain.versions import VersionStore
from domain.workflows import WorkflowReader

MAX_STARTS = 1_000
MAX_WAIT = 300.0
_AT_ONCE = 50
"""Starts prepared before others of this process get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """What starts need: bound to one tenant, whose executions begin."""

    tenant_id: TenantId
    workflows: WorkflowReader
    versions: VersionStore
    placements: Placements
    executions: ExecutionReader
    starts: Starts
    doorbell: Doorbell
    changes: Changes
    ids: Ids


async def start(request: StartRequest, origin: Origin, *, given: Starting, now: datetime) -> Execution:
    """The committed execution, PENDING; with an idempotency key used before, the execution it began.

    Raises NotFound, Invalid, InvalidState, TooLarge, IdempotencyMismatch; then nothing has begun.
    """
    (answer,) = await start_many([request], origin, given=given, now=now)
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def start_many(
    requests: Sequence[StartRequest], origin: Origin, *, given: Starting, now: datetime
) -> Sequence[Execution | Refusal]:
    """Each request's execution or why it has none, in order; all that are not refused begin in one commit.

    Raises TooLarge for more than 1,000 requests.
    """
    if len(requests) > MAX_STARTS:
        raise TooLarge(
            f"{len(requests):,} starts at once; at most {MAX_STARTS:,} are taken",
            path=("inputs",),
            remedy="Send them in several requests.",
        )
    prepared = await _prepare_all(requests, origin, given, now)
    accepted = [each for each in prepared if isinstance(each, NewExecution)]
    committed = iter(await commit(accepted, given=given))
    return [next(committed) if isinstance(each, NewExecution) else each for each in prepared]


async def start_and_wait(
    request: StartRequest, origin: Origin, timeout: float, *, given: Starting, feed: LiveFeed, now: datetime
) -> tuple[Execution, bool]:
    """The execution as it is when over, or when `timeout` seconds have passed (then True: timed out).

    Who waits no longer cancels nothing. Raises what `start` raises, and Invalid for a timeout beyond 300 s.
    """
    if not 0 < timeout <= MAX_WAIT:
        raise Invalid(f"A timeout is more than 0 and at most {MAX_WAIT:.0f} seconds", path=("timeout",))
    (prepared,) = await _prepare_all([request], origin, given, now)
    if isinstance(prepared, Refusal):
        raise prepared
    async with AsyncExitStack() as stack:
        # Followed before the commit, so that not even an execution of a millisecond ends unseen.
        follower = await stack.enter_async_context(feed.follow(given.tenant_id, prepared.id))
        (execution,) = await commit([prepared], given=given)
        if isinstance(execution, Refusal):
            raise execution
        if execution.id != prepared.id:
            follower = await stack.enter_async_context(feed.follow(given.tenant_id, execution.id))
        try:
            async with asyncio.timeout(timeout):
                execution = await _until_over(execution, follower, given.executions)
        except TimeoutError:
            execution = await _reread(execution, given.executions)
    return execution, not execution.status.terminal


async def commit(executions: Sequence[NewExecution], *, given: Starting) -> Sequence[Execution | Refusal]:
    """Insert prepared executions in one transaction and ring for those that are new."""
    if not executions:
        return []
    results = await given.starts.insert(given.tenant_id, executions)
    fresh = [new for new, result in zip(executions, results, strict=True) if result.status is StartStatus.STARTED]
    if fresh:
        given.changes.announce(given.tenant_id, [_pending(new) for new in fresh])
        await given.doorbell.ring(given.tenant_id, [new.id for new in fresh])
    repeated = [result.execution_id for result in results if result.status is StartStatus.REPEATED]
    earlier = {found.id: found for found in await given.executions.by_ids(repeated)} if repeated else {}
    answers: list[Execution | Refusal] = []
    for new, result in zip(executions, results, strict=True):
        match result.status:
            case StartStatus.STARTED:
                answers.append(_as_started(new))
            case StartStatus.REPEATED:
                answers.append(earlier.get(result.execution_id) or _gone(result.execution_id))
            case StartStatus.MISMATCH:
                answers.append(IdempotencyMismatch(new.key.key if new.key else ""))
    return answers


async def _prepare_all(
    requests: Sequence[StartRequest], origin: Origin, given: Starting, now: datetime
) -> list[NewExecution | Refusal]:
    checked = [_checked(request) for request in requests]
    found = await look_up([each for each in checked if isinstance(each, StartRequest)], given)
    prepared: list[NewExecution | Refusal] = []
    for number, each in enumerate(checked, 1):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            prepared.append(each if isinstance(each, Refusal) else await _prepared(each, origin, found, given, now))
        except Refusal as refusal:
            prepared.append(refusal)
    return prepared


def _checked(request: StartRequest) -> StartRequest | Refusal:
    """The request, or what is wrong with it whatever the workflow: nothing is looked up for that."""
    try:
        refuse_request(request)
    except Refusal as refusal:
        return refusal
    return request


async def _prepared(
    request: StartRequest, origin: Origin, found: Found, given: Starting, now: datetime
) -> NewExecution:
    execution_id = ExecutionId(given.ids())
    key = request.idempotency_key or str(execution_id)
    version, placed = await choose(request, key, found, given=given, now=now)
    return prepare(request, version, origin, ids=lambda: execution_id, now=now, placed=placed)


async def _until_over(execution: Execution, follower: Follower, reader: ExecutionReader) -> Execution:
    while not execution.status.terminal:
        message = await follower.next()
        over = isinstance(message, Events) and any(event.kind in TERMINAL for event in message.events)
        if over or isinstance(message, Lost):
            execution = await _reread(execution, reader)
    return execution


async def _reread(execution: Execution, reader: ExecutionReader) -> Execution:
    found = await reader.by_ids([execution.id])
    return found[0] if found else execution


def _pending(new: NewExecution) -> Changed:
    return Changed(execution_id=new.id, workflow_id=new.workflow_id, status=ExecutionStatus.PENDING, at=new.created_at)


def _as_started(new: NewExecution) -> Execution:
    return Execution(
        id=new.id,
        workflow_id=new.workflow_id,
        version_id=new.version_id,
        status=ExecutionStatus.PENDING,
        priority=new.priority,
        created_at=new.created_at,
        trigger_type=new.trigger_type,
        triggered_by=new.triggered_by,
        trigger_id=new.trigger_id,
        retry_of=new.retry_of,
        root_of=new.root_of,
        draft=new.draft,
        environment=new.environment or DEFAULT,
        split_id=new.split_id,
        test=new.test,
        trial_of=new.trial_of,
    )


def _gone(execution_id: ExecutionId) -> Refusal:
    return NotFound("execution", encode("execution", execution_id), path=("idempotencyKey",))
