"""In whose hands a task is: what stands in the way of whoever wants to work on it."""

from typing import NoReturn, assert_never

from domain.access import Permission
from domain.errors import Conflict, Forbidden, InvalidState, NotFound
from domain.ids import TaskId, encode
from domain.tasks import Task, TaskReader, TaskStatus, is_assigned
from domain.tasks_people import Caller


class NotYours(Forbidden):
    """The task is in other people's hands."""

    def __init__(self, message: str) -> None:
        super().__init__(Permission.TASK_MANAGE.value)
        self.message = message
        self.path = ("id",)
        self.remedy = "Ask them to delegate it to you, or somebody who may manage tasks."


async def load(task_id: TaskId, reader: TaskReader) -> Task:
    """The task; raises NotFound."""
    found = await reader.by_ids([task_id])
    if not found:
        raise NotFound("task", encode("task", task_id))
    return found[0]


def check_open(task: Task) -> None:
    """Raises Conflict for a task that somebody completed, InvalidState for one that is over without an answer."""
    match task.status:
        case TaskStatus.OPEN:
            return
        case TaskStatus.COMPLETED:
            raise Conflict(
                f"{task.decided_by} has already completed this task ({task.decision})",
                current_revision=task.revision,
                path=("id",),
                remedy="The first answer counts; read the task to see it.",
            )
        case TaskStatus.EXPIRED:
            raise InvalidState("The time for this task is over", path=("id",))
        case TaskStatus.WITHDRAWN:
            raise InvalidState("The execution needs no answer to this task any more", path=("id",))
        case _:
            assert_never(task.status)


def check_hands(task: Task, by: Caller) -> None:
    """Raises NotYours unless the task is assigned to the caller, and claimed by nobody else, or they manage tasks."""
    if by.manages:
        return
    if not is_assigned(task, by):
        raise NotYours("This task is assigned to others")
    if task.claimed_by not in (None, by.person):
        raise NotYours(f"{task.claimed_by} has claimed this task")


async def refuse_changed(task_id: TaskId, reader: TaskReader) -> NoReturn:
    """Raises why a task that was read just now could not be changed."""
    current = await load(task_id, reader)
    check_open(current)
    raise Conflict(
        "The task has changed since it was read",
        current_revision=current.revision,
        path=("id",),
        remedy="Look at it again: it may be in other hands now.",
    )
