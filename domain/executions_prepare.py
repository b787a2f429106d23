"""What a start must satisfy before it is committed: status, version, input, variables, size."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.engine.events import Event, EventKind
from domain.environments import DEFAULT, Placed
from domain.errors import Invalid, InvalidState
from domain.graphs import Definition, Variable
from domain.ids import ExecutionId, TriggerId, WorkflowId, encode
from domain.json import JSON, JSONObject
from domain.sources import Ids
from domain.starts import NewExecution, StartKey, TriggerType
from domain.storable import canonical, checked, checked_text
from domain.trials import Trial, trial_to_json
from domain.trials_check import check_trial
from domain.validation.inputs import checked_input
from domain.versions import Version
from domain.workflows import Workflow, WorkflowStatus

MAX_PRIORITY = 100
MAX_KEY = 255
KEY_LIFE = timedelta(days=7)
MAX_DELAY = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicate:
    """Whatever is started under the same key within `window` seconds is the execution that began first."""

    key: str
    window: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """`version`: a published one instead of the active one; `draft`: the draft as it is now.

    `start_at`: begins then, or at once when that has passed. `environment` None: the default one.
    `trial`: it is a test. `timeout`: seconds it may take, should the workflow allow more. `trial_of`: the saved test
    case or the load run it is a trial of.
    """

    workflow_id: WorkflowId
    input: JSON = None
    variables: JSONObject = field(default_factory=dict[str, JSON])
    idempotency_key: str | None = None
    priority: int = 0
    version: int | None = None
    draft: bool = False
    deduplicate: Deduplicate | None = None
    start_at: datetime | None = None
    environment: str | None = None
    trial: Trial | None = None
    timeout: float | None = None
    trial_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What begins the executions: `by` is the actor's TypeID, `trigger_id` is set when a trigger fired."""

    by: str
    type: TriggerType = TriggerType.API
    trigger_id: TriggerId | None = None
    retry_of: ExecutionId | None = None


def refuse_status(workflow: Workflow, request: StartRequest) -> None:
    """Raises InvalidState unless the workflow takes starts of this sort."""
    match workflow.status:
        case WorkflowStatus.ACTIVE:
            return
        case WorkflowStatus.PAUSED:
            raise InvalidState(
                f"The workflow {workflow.name!r} is paused", path=("workflowId",), remedy="Set it ACTIVE."
            )
        case WorkflowStatus.ARCHIVED:
            raise InvalidState(
                f"The workflow {workflow.name!r} is archived",
                path=("workflowId",),
                remedy="Take it out of the archive first.",
            )
        case WorkflowStatus.DRAFT:
            if not request.draft:
                raise InvalidState(
                    f"The workflow {workflow.name!r} was never published",
                    path=("workflowId",),
                    remedy="Publish it, or start its draft with draft: true.",
                )


def refuse_request(request: StartRequest) -> None:
    """Raises Invalid for what is wrong whatever the workflow."""
    if request.draft and request.version is not None:
        raise Invalid("version and draft exclude each other", path=("draft",), remedy="Give one of them.")
    if abs(request.priority) > MAX_PRIORITY:
        raise Invalid(f"A priority is between -{MAX_PRIORITY} and {MAX_PRIORITY}", path=("priority",))
    if request.idempotency_key is not None:
        checked_text(request.idempotency_key, "idempotencyKey", least=1, most=MAX_KEY)
    if request.environment is not None:
        checked_text(request.environment, "environment", most=MAX_KEY)
    if request.deduplicate is not None:
        _refuse_window(request, request.deduplicate)


def _refuse_window(request: StartRequest, wanted: Deduplicate) -> None:
    checked_text(wanted.key, "deduplicate", least=1, most=MAX_KEY)
    longest = KEY_LIFE.total_seconds()
    if not 0 < wanted.window <= longest:
        raise Invalid(f"A window is more than 0 and at most {longest:.0f} seconds", path=("deduplicate", "window"))
    if request.idempotency_key is not None:
        raise Invalid(
            "idempotencyKey and deduplicate exclude each other",
            path=("deduplicate",),
            remedy="An idempotency key is for the same request again, deduplicate for any start in the window.",
        )
    if request.trial is not None:
        raise Invalid("A test must not stand in for other starts", path=("deduplicate",), remedy="Leave it out.")


def prepare(
    request: StartRequest, version: Version, origin: Origin, *, ids: Ids, now: datetime, placed: Placed | None = None
) -> NewExecution:
    """The row and first event of a start on this version, `placed` in the default environment when None.

    Raises Invalid for an input its schema refuses, a variable or a test's node the workflow does not have; TooLarge.
    """
    written = checked(request.input, "input") + b"\n" + checked(request.variables, "variables")
    definition = version.definition
    entered = checked_input(definition.input_schema, request.input)
    begins = _begins(request, now)
    if request.trial is not None:
        check_trial(request.trial, definition.graph, "test")
    placed = placed or Placed()
    variables = {**placed.variables_of(definition.variables), **request.variables}
    first = first_event(
        definition,
        entered,
        variables,
        origin,
        now,
        begins=begins,
        timeout=request.timeout,
        trial=request.trial,
        placed=placed,
    )
    return NewExecution(
        id=ExecutionId(ids()),
        workflow_id=version.workflow_id,
        version_id=version.id,
        events=(first,),
        created_at=now,
        priority=request.priority,
        trigger_type=origin.type,
        triggered_by=origin.by,
        trigger_id=origin.trigger_id,
        draft=version.number is None,
        test=request.trial is not None,
        key=_key(request, written, now),
        start_at=begins,
        environment=None if placed.environment == DEFAULT else placed.environment,
        split_id=placed.split_id,
        trial_of=request.trial_of,
    )


def first_event(
    definition: Definition,
    entered: JSON,
    variables: JSONObject,
    origin: Origin,
    now: datetime,
    *,
    begins: datetime | None = None,
    timeout: float | None = None,
    trial: Trial | None = None,
    placed: Placed | None = None,
) -> Event:
    """EXECUTION_STARTED, seq 1; its deadline counts from `begins`. Raises Invalid for an undeclared variable."""
    trigger: dict[str, JSON] = {"type": origin.type.value, **(placed or Placed()).trigger()}
    if origin.trigger_id is not None:
        trigger["id"] = encode("trigger", origin.trigger_id)
    timeout = min((each for each in (timeout, definition.settings.timeout) if each is not None), default=None)
    payload: dict[str, JSON] = {
        "input": entered,
        "variables": merged(definition.variables, variables),
        "deadline": ((begins or now) + timedelta(seconds=timeout)).isoformat() if timeout is not None else None,
        "trigger": trigger,
    }
    if trial is not None:
        payload["test"] = trial_to_json(trial)
    if origin.retry_of is not None:
        payload["retryOf"] = encode("execution", origin.retry_of)
    return Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=now, payload=payload)


def merged(declared: Mapping[str, Variable], overrides: JSONObject) -> dict[str, JSON]:
    """Defaults with overrides over them; raises Invalid for a variable that is not declared."""
    for name in overrides:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise Invalid(
                f"The workflow has no variable {name[:100]!r}",
                path=("variables", name[:100]),
                remedy=f"Its variables: {known}. Declare it in the workflow, or leave it out.",
            )
    return {name: variable.default for name, variable in declared.items()} | dict(overrides)


def _begins(request: StartRequest, now: datetime) -> datetime | None:
    """When it is to begin, None: at once. Raises Invalid for a moment too far away."""
    if request.start_at is None or request.start_at <= now:
        return None
    if request.start_at > now + MAX_DELAY:
        raise Invalid(f"startAt is at most {MAX_DELAY.days} days away", path=("startAt",))
    return request.start_at


def _key(request: StartRequest, written: bytes, now: datetime) -> StartKey | None:
    if request.deduplicate is not None:
        window = timedelta(seconds=request.deduplicate.window)
        # The same for every start, so that none of them is a mismatch.
        return StartKey(key=f"deduplicate:{request.deduplicate.key}", request_hash=b"", expires_at=now + window)
    if request.idempotency_key is None:
        return None
    later: list[JSON] = [request.start_at.isoformat()] if request.start_at is not None else []
    if request.trial is not None:
        later.append(trial_to_json(request.trial))
    if request.environment is not None:
        later.append(request.environment)
    choice = canonical([request.version, request.draft, request.priority, *later])
    digest = hashlib.sha256(choice + b"\n" + written).digest()
    return StartKey(key=request.idempotency_key, request_hash=digest, expires_at=now + KEY_LIFE)
