"""The `approval` node: goes on when a person has decided, or has entered data."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, assert_never, cast

from pydantic import Field

from domain.engine.outcomes import Cause, Completed, Failed, Outcome, SignalArrived, TimerDue, Waiting
from domain.errors import Finding, Invalid, Refusal
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import NodeCategory
from domain.storable import checked, checked_text
from domain.tasks import Task, TaskDecision, TaskKind, TaskRequest, TaskStatus
from domain.tasks_complete import answer_json
from domain.tasks_people import check_assignees
from domain.tasks_time import next_moment
from domain.validation.json_schemas import schema_findings
from jobs.nodes.base import NodeConfig, StepContext, define

YEAR = 366 * 24 * 3600.0
MAX_DATA = 256 * 1024
TIMEOUT = "timeout"

People = str | list[str]
Seconds = Annotated[float, Field(gt=0, le=YEAR)]


class ApprovalConfig(NodeConfig):
    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="What is asked, in a line.")
    kind: Literal["approval", "entry"] = Field(
        "approval", description="Whether a decision is asked for, or data alone."
    )
    description: Annotated[str, Field(max_length=10_000)] = Field("", description="What there is to know about it.")
    form: dict[str, object] = Field(
        default_factory=dict[str, object], description="The JSON Schema of the data that is asked for."
    )
    data: object = Field(None, description="What is shown beside the form.")
    assignees: People = Field(
        default_factory=list[str],
        description="Who may answer: e-mail addresses, user ids, role:NAME. Left out: who may manage tasks.",
    )
    due: Seconds | str | None = Field(None, description="When it should be done: seconds, or a moment in ISO 8601.")
    escalate_to: People = Field(
        default_factory=list[str], description="Who gets it when it is due and nobody has answered."
    )
    timeout: Seconds | None = Field(None, description="Seconds after which the timeout output is taken.")
    signature: bool = Field(False, description="Whether who answers must give their password again.")


async def run(step: StepContext, config: ApprovalConfig) -> Outcome:
    try:
        request = _request(step, config)
    except Refusal as refusal:
        where = ".".join(refusal.path)
        return Failed(
            code="CONFIG_INVALID", message=f"{where}: {refusal.message}", retryable=False, remedy=refusal.remedy
        )
    return _outcome(step, await step.services.tasks.open(request))


async def resume(step: StepContext, config: ApprovalConfig, cause: Cause) -> Outcome:
    match cause:
        case SignalArrived(payload=payload):
            return _answered(as_object(payload))
        case TimerDue():
            return _outcome(step, await step.services.tasks.look(step.execution_id, step.path, step.at))
        case _:
            raise NotImplementedError(f"an approval does not wait for {type(cause).__name__}")


def _outcome(step: StepContext, task: Task) -> Outcome:
    """What the stored task says: asked again after a crash, it may have been answered or over for long."""
    match task.status:
        case TaskStatus.OPEN | TaskStatus.WITHDRAWN:
            return Waiting(signal=task.signal, until=next_moment(task))
        case TaskStatus.COMPLETED:
            return _answered(answer_json(task))
        case TaskStatus.EXPIRED:
            return Completed(output=step.input, handles=(TIMEOUT,))
        case _:
            assert_never(task.status)


def _answered(answer: JSONObject) -> Completed:
    decision = TaskDecision(str(answer.get("decision")))
    why: JSONObject = {"decision": decision, "by": answer.get("by")}
    return Completed(output=answer, handles=(decision.value,), decision=why)


def _request(step: StepContext, config: ApprovalConfig) -> TaskRequest:
    """Raises Invalid or TooLarge, with the field as path."""
    for finding in schema_findings(_form(config), ("form",)):
        raise Invalid(finding.message, path=finding.path, remedy=finding.remedy)
    data: JSON = step.config.get("data")
    checked(data, "data", most=MAX_DATA)
    due_at = _moment(config.due, step.at)
    escalate_to = check_assignees(_people(config.escalate_to), "escalateTo")
    expires_at = step.at + timedelta(seconds=config.timeout) if config.timeout is not None else None
    if expires_at is None and not escalate_to:
        expires_at = due_at
    return TaskRequest(
        execution_id=step.execution_id,
        path=step.path,
        kind=TaskKind(config.kind),
        title=checked_text(config.title, "title", most=200),
        description=checked_text(config.description, "description", most=10_000),
        form=_form(config),
        data=data,
        assignees=check_assignees(_people(config.assignees), "assignees"),
        due_at=due_at,
        expires_at=expires_at,
        escalate_to=escalate_to,
        signature=config.signature,
    )


def _form(config: ApprovalConfig) -> JSONObject:
    return cast("JSONObject", config.form)


def _people(written: People) -> Sequence[str]:
    return [written] if isinstance(written, str) else written


def _moment(due: float | str | None, now: datetime) -> datetime | None:
    """Raises Invalid for a text that is no moment, or one more than a year away."""
    if due is None:
        return None
    moment = _read_moment(due) if isinstance(due, str) else now + timedelta(seconds=due)
    if moment > now + timedelta(seconds=YEAR):
        raise Invalid(f"{due!r} is more than a year away", path=("due",))
    return moment


def _read_moment(text: str) -> datetime:
    """Without an offset it is UTC; raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(
            f"{text[:60]!r} is no moment in ISO 8601",
            path=("due",),
            remedy="Write it like 2030-01-31T09:00:00+01:00, or give seconds.",
        ) from None


def handles(config: JSONObject) -> Sequence[str]:
    decisions = [TaskDecision.APPROVED] if config.get("kind") == TaskKind.ENTRY else list(TaskDecision)
    return (*(decision.value for decision in decisions), TIMEOUT)


def rules(config: JSONObject) -> Iterator[Finding]:
    """What is written out is checked now, what holds expressions when it runs."""
    if _templated(config.get("kind")):
        message = "'kind' cannot be an expression: it decides which outputs the node has"
        yield Finding(code="BAD_TASK", message=message, path=("kind",), remedy="Write approval or entry.")
    if config.get("escalateTo") and "due" not in config:
        message = "It is escalated when it is due, and nothing says when that is"
        yield Finding(code="BAD_TASK", message=message, path=("escalateTo",), remedy="Give due.")
    for key, check in (("due", _check_due), ("assignees", _check_people), ("escalateTo", _check_people)):
        value = config.get(key)
        if value is not None and not _templated(value):
            try:
                check(value)
            except Invalid as refusal:
                yield Finding(code="BAD_TASK", message=refusal.message, path=(key,), remedy=refusal.remedy)
    form = config.get("form")
    if isinstance(form, Mapping) and not _templated(form):
        yield from schema_findings(form, ("form",))


def _check_due(due: JSON) -> None:
    if isinstance(due, str):
        _read_moment(due)


def _check_people(people: JSON) -> None:
    names = [people] if isinstance(people, str) else as_list(people)
    check_assignees([name for name in names if isinstance(name, str)])


def _templated(value: JSON) -> bool:
    """Whether there is an expression anywhere in it."""
    if isinstance(value, str):
        return "{{" in value
    members = value.values() if isinstance(value, Mapping) else as_list(value)
    return any(_templated(member) for member in members)


KIND = define(
    name="approval",
    title="Approval",
    description="Asks people for a decision, or for data, and waits for their answer.",
    category=NodeCategory.HUMAN,
    config=ApprovalConfig,
    run=run,
    resume=resume,
    handles=handles,
    rules=rules,
    outputs=(*(decision.value for decision in TaskDecision), TIMEOUT),
    effects=True,
    documentation="""
The node puts a task into the inbox of its `assignees`: e-mail addresses or ids of users, or `role:NAME` for everybody
of a role. Whoever of them answers first (`taskComplete`) decides: `approved` or `rejected` is taken. With `kind: entry`
no decision is asked for, only the data of `form`, and there is no output `rejected`. The output is
`{decision, data, comment, by, at}`, with `signature` when one was asked for.

`form` is a JSON Schema. What does not fit it is refused with the field that is wrong; who rejects may leave it out.
`data` is shown beside it.

With `signature: true` whoever answers gives their password again, which an API key cannot. Who answered what and when
is then bound together by a digest that is kept with the task and in the output.

When the task is `due` and unanswered, it goes to `escalateTo`. After `timeout` seconds nobody can answer any more and
`timeout` is taken with the node's input. Without `timeout` that happens when it is due, unless `escalateTo` names
somebody: those may take as long as they need. At most a year.

A task that is not needed any more, because the step was cancelled or skipped or the execution is over, leaves every
inbox by itself.
""",
    examples={
        "A decision": {
            "title": "Refund {{ input.amount }} EUR to {{ input.customer }}?",
            "data": "{{ input }}",
            "assignees": ["role:admin"],
            "due": 86400,
            "escalateTo": ["head-of-support@example.com"],
            "timeout": 259200,
        },
        "Signed, with a reason": {
            "title": "Release the batch?",
            "form": {
                "type": "object",
                "properties": {"reason": {"type": "string", "minLength": 3}},
                "required": ["reason"],
            },
            "assignees": ["quality@example.com"],
            "signature": True,
        },
        "Data": {
            "kind": "entry",
            "title": "Which delivery date did the customer name?",
            "form": {
                "type": "object",
                "properties": {"date": {"type": "string", "format": "date"}},
                "required": ["date"],
            },
            "assignees": "{{ input.agent }}",
        },
    },
)
