"""Electronic signatures: proving again who one is, and the digest that ties a person to an answer."""

import hashlib

from domain.access import Permission
from domain.accounts import Passwords
from domain.errors import Forbidden
from domain.ids import UserId, encode
from domain.storable import canonical
from domain.tasks import Task, TaskSignature
from domain.tasks_people import Caller

ALGORITHM = "SHA-256"


class NotSigned(Forbidden):
    """The task needs a signature, and the caller gave none that holds."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(Permission.TASK_COMPLETE.value)
        self.message = message
        self.path = ("signature", "password")
        self.remedy = remedy


async def prove(caller: Caller, password: str | None, passwords: Passwords) -> UserId:
    """The user who may sign; raises NotSigned without the right password, and for API keys whatever they give."""
    account = caller.account
    if account is None:
        raise NotSigned("This task needs a signature, and an API key cannot sign", "Sign in as a person.")
    if password is None:
        raise NotSigned("This task needs a signature", "Give your password again as signature: { password }.")
    right = await passwords.matches(password, account.password_hash)
    if not right or account.deactivated_at is not None:
        raise NotSigned("The password is wrong", "Give your own password again; nothing was completed.")
    return account.id


def signed(task: Task, by: UserId) -> TaskSignature:
    """The signature of a completed task."""
    return TaskSignature(by=by, digest=digest(task, by))


def digest(task: Task, by: UserId) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of what was answered, by whom and when."""
    decided_at = task.decided_at.isoformat() if task.decided_at is not None else None
    content = canonical(
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
    return hashlib.sha256(content).hexdigest()


def holds(task: Task) -> bool:
    """Whether the stored answer is still what was signed."""
    return task.signature is not None and task.signature.digest == digest(task, task.signature.by)
