"""What people do with a task besides completing it: claim it, hand it on, talk about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.accounts import AccountStore
from domain.errors import Conflict, InvalidState
from domain.ids import TaskId, TenantId, encode
from domain.sources import Ids
from domain.storable import checked_text
from domain.tasks import Task, TaskAnnouncer, TaskEntry, TaskEntryKind, TaskReader, TaskWriter, is_assigned
from domain.tasks_hands import NotYours, check_hands, check_open, load, refuse_changed
from domain.tasks_people import Caller, member
from domain.tasks_time import escalated

MAX_COMMENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """What working on tasks needs: bound to one tenant."""

    tenant_id: TenantId
    tasks: TaskReader
    writer: TaskWriter
    accounts: AccountStore
    announcer: TaskAnnouncer
    ids: Ids


async def claim(task_id: TaskId, *, by: Caller, given: Working, now: datetime) -> Task:
    """The task is the caller's alone. Raises NotFound, NotYours, InvalidState, Conflict when another was first."""
    task = await load(task_id, given.tasks)
    check_open(task)
    if not by.manages and not is_assigned(task, by):
        raise NotYours("This task is assigned to others")
    if task.claimed_by == by.person:
        return task
    if task.claimed_by is not None:
        raise Conflict(
            f"{task.claimed_by} has claimed this task",
            current_revision=task.revision,
            path=("id",),
            remedy="Ask them to give it back.",
        )
    return await _change(replace(task, claimed_by=by.person, updated_at=now), TaskEntryKind.CLAIMED, by, given)


async def unclaim(task_id: TaskId, *, by: Caller, given: Working, now: datetime) -> Task:
    """Any assignee may take it again. Raises NotFound, NotYours, InvalidState, Conflict."""
    task = await load(task_id, given.tasks)
    check_open(task)
    check_hands(task, by)
    if task.claimed_by is None:
        return task
    return await _change(replace(task, claimed_by=None, updated_at=now), TaskEntryKind.UNCLAIMED, by, given)


async def delegate(task_id: TaskId, to: str, comment: str | None, *, by: Caller, given: Working, now: datetime) -> Task:
    """The task is now for the member with this user id or e-mail address, and for nobody else.

    Raises NotFound, NotYours, InvalidState, Invalid, Conflict.
    """
    task = await load(task_id, given.tasks)
    check_open(task)
    check_hands(task, by)
    _check_comment(comment)
    assignee = encode("user", await member(to, given.tenant_id, given.accounts))
    changed = replace(task, assignees=(assignee,), claimed_by=None, updated_at=now)
    return await _change(changed, TaskEntryKind.DELEGATED, by, given, comment, changed.assignees)


async def escalate(task_id: TaskId, comment: str | None, *, by: Caller, given: Working, now: datetime) -> Task:
    """What happens at its due time, now. Raises NotFound, NotYours, InvalidState, Invalid, Conflict."""
    task = await load(task_id, given.tasks)
    check_open(task)
    check_hands(task, by)
    _check_comment(comment)
    if not task.escalate_to:
        raise InvalidState("This task has nobody to be escalated to", path=("id",), remedy="Delegate it.")
    if task.escalated_at is not None:
        raise InvalidState("This task has been escalated already", path=("id",), remedy="Delegate it.")
    changed = escalated(task, now)
    return await _change(changed, TaskEntryKind.ESCALATED, by, given, comment, changed.assignees)


async def comment(task_id: TaskId, text: str, *, by: Caller, given: Working, now: datetime) -> Task:
    """A remark beside the task, also once it is over. Raises NotFound, Invalid."""
    checked_text(text, "text", least=1, most=MAX_COMMENT)
    task = await load(task_id, given.tasks)
    await given.writer.note(
        TaskEntry(id=given.ids(), task_id=task.id, kind=TaskEntryKind.COMMENTED, by=by.actor, at=now, comment=text)
    )
    given.announcer.announce_tasks(given.tenant_id, [task.id])
    return task


async def _change(
    changed: Task,
    kind: TaskEntryKind,
    by: Caller,
    given: Working,
    comment: str | None = None,
    assignees: Sequence[str] = (),
) -> Task:
    entry = TaskEntry(
        id=given.ids(),
        task_id=changed.id,
        kind=kind,
        by=by.actor,
        at=changed.updated_at,
        assignees=tuple(assignees),
        comment=comment,
    )
    if not await given.writer.change(changed, entry):
        await refuse_changed(changed.id, given.tasks)
    given.announcer.announce_tasks(given.tenant_id, [changed.id])
    return replace(changed, revision=changed.revision + 1)


def _check_comment(text: str | None) -> None:
    if text is not None:
        checked_text(text, "comment", most=MAX_COMMENT)
