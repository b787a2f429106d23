"""Signals: named messages to an execution, kept until a wait of that name takes them."""

from domain.engine.ports import InboxKind
from domain.errors import Invalid
from domain.executions import Execution
from domain.executions_control import Control, wish
from domain.ids import ExecutionId
from domain.json import JSON
from domain.locks import SIGNAL as LOCK_SIGNAL
from domain.storable import checked, checked_text
from domain.tasks import SIGNAL as TASK_SIGNAL
from domain.tenancy import Principal

MAX_NAME = 200
RESERVED = ("callback:", LOCK_SIGNAL, TASK_SIGNAL)
"""Signals of these prefixes end a wait for a callback, which only its link may send, for a lock, or for a person."""


async def send(
    execution_id: ExecutionId, name: str, payload: JSON, *, by: Principal, given: Control, key: str | None = None
) -> Execution:
    """First in, first out per name; the same `key` twice is one signal while the first was not yet taken.

    Raises Invalid, NotFound, InvalidState when the execution is over.
    """
    checked_text(name, "name", least=1, most=MAX_NAME)
    if name.startswith(RESERVED):
        raise Invalid(f"A signal's name does not begin with {' or '.join(map(repr, RESERVED))}", path=("name",))
    checked(payload, "payload")
    message: dict[str, JSON] = {"name": name, "payload": payload, "by": str(by.actor)}
    return await wish(execution_id, InboxKind.SIGNAL, key or str(given.ids()), message, given=given)
