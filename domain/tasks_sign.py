"""The signature of a completed task: what of the answer it binds together."""

from domain import signatures
from domain.access import Permission
from domain.ids import UserId, encode
from domain.signatures import Occasion
from domain.tasks import Task, TaskSignature

OCCASION = Occasion(name="task", permission=Permission.TASK_COMPLETE, undone="completed")


def signed(task: Task, by: UserId) -> TaskSignature:
    """The signature of a completed task."""
    return TaskSignature(by=by, digest=digest(task, by))


def digest(task: Task, by: UserId) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of what was answered, by whom and when."""
    decided_at = task.decided_at.isoformat() if task.decided_at is not None else None
    return signatures.digest(
        {
            "task": encode("task", task.id),
            "execution": encode("execution", task.execution_id),
            "path": task.path,
            "decision": task.decision,
            "data": task.output,
            "by": encode("user", by),
            "at": decided_at,
        }
    )


def holds(task: Task) -> bool:
    """Whether the stored answer is still what was signed."""
    return task.signature is not None and task.signature.digest == digest(task, task.signature.by)
