"""Completing a task: with which answer, and what its execution is told."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from domain.errors import Invalid, InvalidState
from domain.ids import TaskId, TenantId, encode
from domain.inbox import Doorbell
from domain.json import JSON, JSONObject
from domain.proofs import Proving
from domain.signatures import ALGORITHM, prove
from domain.storable import checked, checked_text
from domain.tasks import (
    Answered,
    Task,
    TaskAnnouncer,
    TaskAnswers,
    TaskDecision,
    TaskKind,
    TaskReader,
    TaskStatus,
)
from domain.tasks_hands import check_hands, check_open, load, refuse_changed
from domain.tasks_people import Caller
from domain.tasks_sign import OCCASION, signed
from domain.validation.inputs import checked_input

MAX_COMMENT = 10_000
MAX_OUTPUT = 1024 * 1024
"""Bytes of the data of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`output` is the form's data; `password` proves who signs."""

    decision: TaskDecision | None = None
    output: JSON = None
    comment: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completing:
    """What completing needs: bound to one tenant."""

    tenant_id: TenantId
    tasks: TaskReader
    answers: TaskAnswers
    proving: Proving
    doorbell: Doorbell
    announcer: TaskAnnouncer


async def complete(task_id: TaskId, answer: Answer, *, by: Caller, given: Completing, now: datetime) -> Task:
    """The completed task; its execution has the answer once this returns. The same answer again is the first one.

    Raises NotFound, Conflict (somebody was first), InvalidState (nobody asks any more), NotYours, Invalid, TooLarge or
    InvalidInput for the answer, NotSigned, TooManyAttempts.
    """
    task = await load(task_id, given.tasks)
    if _is_repeated(task, answer, by):
        return task
    check_open(task)
    check_hands(task, by)
    decision = _decision(task, answer)
    _check_answer(task, answer, decision)
    completed = replace(
        task,
        status=TaskStatus.COMPLETED,
        decision=decision,
        output=answer.output,
        comment=answer.comment,
        decided_by=by.actor,
        decided_at=now,
        updated_at=now,
    )
    if task.needs_signature:
        signer = await prove(by.account, answer.password, OCCASION, given=given.proving, now=now)
        completed = replace(completed, signature=signed(completed, signer))
    await _store(completed, given)
    return replace(completed, revision=task.revision + 1)


async def _store(completed: Task, given: Completing) -> None:
    answered = await given.answers.store(given.tenant_id, completed, answer_json(completed))
    match answered:
        case Answered.STORED:
            await given.doorbell.ring(given.tenant_id, [completed.execution_id])
            given.announcer.announce_tasks(given.tenant_id, [completed.id])
        case Answered.CHANGED:
            await refuse_changed(completed.id, given.tasks)
        case Answered.OVER:
            raise InvalidState("The execution is over; its task needs no answer", path=("id",))
        case _:
            assert_never(answered)


def answer_json(task: Task) -> JSONObject:
    """What the execution is told of a completed task: the payload of its signal and the output of its step."""
    told: dict[str, JSON] = {
        "decision": task.decision,
        "data": task.output,
        "comment": task.comment,
        "by": task.decided_by,
        "at": task.decided_at.isoformat() if task.decided_at is not None else None,
    }
    if task.signature is not None:
        by = encode("user", task.signature.by)
        told["signature"] = {"by": by, "algorithm": ALGORITHM, "digest": task.signature.digest}
    return told


def _decision(task: Task, answer: Answer) -> TaskDecision:
    """Data that was entered counts as approved."""
    match task.kind, answer.decision:
        case TaskKind.ENTRY, TaskDecision.REJECTED:
            raise Invalid(
                "This task asks for data, not for a decision", path=("decision",), remedy="Leave the decision out."
            )
        case TaskKind.ENTRY, _:
            return TaskDecision.APPROVED
        case TaskKind.APPROVAL, None:
            raise Invalid("This task needs a decision", path=("decision",), remedy="Give APPROVED or REJECTED.")
        case TaskKind.APPROVAL, decision:
            return decision
        case _:
            assert_never(task.kind)


def _check_answer(task: Task, answer: Answer, decision: TaskDecision) -> None:
    """Who rejects need not fill in the form, but what they fill in has to fit."""
    if answer.comment is not None:
        checked_text(answer.comment, "comment", most=MAX_COMMENT)
    checked(answer.output, "output", most=MAX_OUTPUT)
    if decision is TaskDecision.APPROVED or answer.output is not None:
        checked_input(task.form, answer.output, "output")


def _is_repeated(task: Task, answer: Answer, by: Caller) -> bool:
    """Whether this very answer is stored already, and the caller only did not hear of it."""
    return (
        task.status is TaskStatus.COMPLETED
        and task.decided_by == by.actor
        and answer.decision in (None, task.decision)
        and (task.output, task.comment) == (answer.output, answer.comment)
    )
