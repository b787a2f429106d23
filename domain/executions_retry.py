"""Doing it again: a new execution that takes over what another had finished, or nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.engine.decide import fold
from domain.engine.events import Event, EventKind
from domain.engine.plan import Plan
from domain.engine.seed import failed_path, retryable_paths, seed
from domain.errors import InvalidState, NotFound, Refusal
from domain.executions import Execution, LogReader
from domain.executions_control import load
from domain.executions_plans import Plans
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.executions_start import Starting, commit
from domain.ids import ExecutionId, encode
from domain.json import JSON, as_object
from domain.starts import NewExecution, TriggerType
from domain.storable import checked
from domain.tenancy import Principal
from domain.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """`from_path` None: from the step whose failure ended it, or the whole when no step did.

    `edited`: whether `input` replaces that step's input (for the whole, the execution's). `key`: an idempotency key.
    """

    execution_id: ExecutionId
    from_path: str | None = None
    input: JSON = None
    edited: bool = False
    key: str | None = None


async def retry(
    request: RetryRequest, *, by: Principal, given: Starting, log: LogReader, plans: Plans, now: datetime
) -> Execution:
    """A new execution of the same version, linked by `retry_of`, committed and PENDING.

    Raises NotFound (execution, path), InvalidState while the first still runs, Invalid for the edited input.
    """
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
    if isinstance(answer, Refusal):
        raise answer
    return answer


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
    state = fold(plan, events)
    path = request.from_path if request.from_path is not None else failed_path(state)
    if path is not None and path not in retryable_paths(state):
        raise NotFound("step", path[:200], path=("fromPath",))
    whole = path is None or state.steps[path].node in plan.entries
    begun = StartRequest(
        workflow_id=first.workflow_id,
        input=request.input if whole and request.edited else state.input,
        variables=as_object(events[0].payload.get("variables")),
        priority=first.priority,
        idempotency_key=request.key,
    )
    origin = Origin(by=str(by.actor), type=TriggerType.RETRY, retry_of=first.id)
    new = replace(
        prepare(begun, version, origin, ids=given.ids, now=now),
        retry_of=first.id,
        root_of=first.root_of or first.id,
        draft=first.draft,
    )
    if path is None or whole:
        return new
    checked(request.input, "input")
    seeded = seed(
        plan,
        state,
        events,
        source=encode("execution", first.id),
        path=path,
        overrides={path: request.input} if request.edited else None,
    )
    return replace(new, events=(*new.events, Event(seq=2, kind=EventKind.SEEDED, at=now, payload=seeded)))
