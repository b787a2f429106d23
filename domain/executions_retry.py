"""Doing it again: a new execution that takes over what another had finished, or nothing of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.engine.decide import fold
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan
from domain.engine.scopes import ROOT
from domain.engine.seed import failed_path, retryable_paths, seed
from domain.engine.seed_places import lineage
from domain.engine.state import State
from domain.environments import placed_by
from domain.errors import IdempotencyMismatch, Invalid, InvalidState, NotFound, Refusal, TooLarge
from domain.executions import Execution, LogReader
from domain.executions_control import load
from domain.executions_plans import Plans
from domain.executions_prepare import KEY_LIFE, MAX_KEY, Origin, StartRequest, prepare
from domain.executions_start import Starting, commit
from domain.ids import ExecutionId, encode
from domain.json import JSON, as_object
from domain.starts import NewExecution, StartKey, TriggerType
from domain.storable import canonical, checked, checked_text
from domain.tenancy import Principal
from domain.trials import as_test, trial_from_json
from domain.versions import Version

MAX_SEED = 64 * 1024 * 1024
"""Bytes of finished outcomes that a new execution takes over at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """`from_path` None: from the step whose failure ended it, or the whole when no step did. `whole`: in any case.

    `edited`: whether `input` replaces that step's input (for the whole, the execution's). `key`: an idempotency key.
    """

    execution_id: ExecutionId
    from_path: str | None = None
    whole: bool = False
    input: JSON = None
    edited: bool = False
    key: str | None = None


async def retry(
    request: RetryRequest, *, by: Principal, given: Starting, log: LogReader, plans: Plans, now: datetime
) -> Execution:
    """A new execution of the same version, linked by `retry_of`, committed and PENDING; the same again for its key.

    Raises NotFound (execution, path), InvalidState while the first still runs, Invalid for the edited input, TooLarge
    when what had finished is too much to take over, IdempotencyMismatch.
    """
    _refuse_request(request)
    first = await load(request.execution_id, given.executions)
    if not first.status.terminal:
        raise InvalidState(
            f"The execution is {first.status.value}; only one that is over can be repeated",
            path=("id",),
            remedy="Wait for its end, or cancel it.",
        )
    (version,) = await given.versions.by_ids([first.version_id])
    events = (await log.whole([first.id]))[first.id]
    new = _again(request, first, version, events, plan=plans.of(version), by=by, given=given, now=now)
    (answer,) = await commit([new], given=given)
    if isinstance(answer, IdempotencyMismatch):
        raise IdempotencyMismatch(request.key or "", path=("key",))
    if isinstance(answer, Refusal):
        raise answer
    return answer


def _refuse_request(request: RetryRequest) -> None:
    if request.whole and request.from_path is not None:
        raise Invalid("fromPath and whole exclude each other", path=("whole",), remedy="Give one of them.")
    if request.key is not None:
        checked_text(request.key, "key", least=1, most=MAX_KEY)
    checked(request.input, "input")


def _again(
    request: RetryRequest,
    first: Execution,
    version: Version,
    events: Sequence[Event],
    *,
    plan: Plan,
    by: Principal,
    given: Starting,
    now: datetime,
) -> NewExecution:
    state = fold(plan, events, keeps=True)
    path = _path(request, state)
    whole = path is None or (state.steps[path].scope == ROOT and state.steps[path].node in plan.entries)
    begun = StartRequest(
        workflow_id=first.workflow_id,
        input=request.input if whole and request.edited else state.input,
        variables={
            name: value
            for name, value in as_object(events[0].payload.get("variables")).items()
            if name in version.definition.variables  # it may have been migrated to a version that has others
        },
        priority=first.priority,
    )
    origin = Origin(by=str(by.actor), type=TriggerType.RETRY, retry_of=first.id)
    new = replace(
        prepare(begun, version, origin, ids=given.ids, now=now, placed=placed_by(state.trigger)),
        retry_of=first.id,
        root_of=first.root_of or first.id,
        draft=first.draft,
        key=_key(request, now),
    )
    new = as_test(new, trial_from_json(events[0].payload.get("test")))
    begins = new.events[0].saying(by=origin.by)
    if path is None or whole:
        return replace(new, events=(begins,))
    return replace(new, events=(begins, _seeded(request, path, plan, state, events, now)))


def _seeded(
    request: RetryRequest, path: str, plan: Plan, state: State, events: Sequence[Event], now: datetime
) -> Event:
    """What the new execution takes over to begin at `path`. Raises TooLarge."""
    source = encode("execution", request.execution_id)
    overrides = {path: request.input} if request.edited else None
    payload = seed(plan, state, events, source=source, path=path, overrides=overrides, at=now)
    if len(canonical(payload)) > MAX_SEED:
        raise TooLarge(
            f"What had finished before {path[:200]} is too much to take over",
            path=("fromPath",),
            remedy="Begin at an earlier step, or repeat the whole.",
        )
    return Event(seq=2, kind=EventKind.SEEDED, at=now, payload=payload)


def _path(request: RetryRequest, state: State) -> str | None:
    """Where it begins, None for the whole. Raises NotFound, Invalid for an input that no step would get."""
    if request.whole:
        return None
    path = request.from_path if request.from_path is not None else failed_path(state)
    if path is None:
        return None
    if path not in retryable_paths(state):
        raise NotFound("step", path[:200], path=("fromPath",))
    around = [container for container, _ in lineage(path)[:-1]]
    if request.edited and any("#" in container for container in around):
        raise Invalid(
            f"{path[:200]} lies in a later pass of a cycle, which is run again from {around[0][:200]}",
            path=("input",),
            remedy=f"Leave the input out, or edit that of {around[0][:200]}.",
        )
    return path


def _key(request: RetryRequest, now: datetime) -> StartKey | None:
    """The caller's key, which means something for this execution only."""
    if request.key is None:
        return None
    wanted = canonical([request.from_path, request.whole, request.edited, request.input])
    return StartKey(
        key=f"retry:{encode('execution', request.execution_id)}:{request.key}",
        request_hash=hashlib.sha256(wanted).digest(),
        expires_at=now + KEY_LIFE,
    )
