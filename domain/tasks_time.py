"""What the clock does to a task: hands it on when it is due, ends it when nobody answered."""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.tasks import Task, TaskStatus

_EARLY = timedelta(milliseconds=50)
"""How much before its moment a timer may go off."""


def elapsed(task: Task, at: datetime) -> Task:
    """The task at this time; the same object when there was nothing to do. It is handed on once only."""
    now = at + _EARLY
    if task.status is not TaskStatus.OPEN:
        return task
    if task.expires_at is not None and task.expires_at <= now:
        return replace(task, status=TaskStatus.EXPIRED, updated_at=at)
    if task.due_at is not None and task.due_at <= now and _may_escalate(task):
        return escalated(task, at)
    return task


def escalated(task: Task, at: datetime) -> Task:
    """The task in the hands of those it is escalated to."""
    return replace(task, assignees=task.escalate_to, claimed_by=None, escalated_at=at, updated_at=at)


def next_moment(task: Task) -> datetime | None:
    """When the clock will do something to the task."""
    moments = [task.expires_at, task.due_at if _may_escalate(task) else None]
    return min((moment for moment in moments if moment is not None), default=None)


def _may_escalate(task: Task) -> bool:
    return bool(task.escalate_to) and task.escalated_at is None
