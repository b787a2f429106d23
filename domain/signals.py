"""Signals: named messages to an execution, kept until a wait of that name takes them."""

from domain.engine.ports import InboxKind
from domain.errors import Invalid
from domain.executions import Execution
from domain.executions_control import Control, Message, ask
from domain.ids import ExecutionId
from domain.json import JSON
from domain.locks import SIGNAL as LOCK_SIGNAL
from domain.storable import checked, checked_text
from domain.tasks import SIGNAL as TASK_SIGNAL
from domain.tenancy import Principal
from domain.trials import BREAKPOINT

MAX_NAME = 200
RESERVED = ("callback:", BREAKPOINT, LOCK_SIGNAL, TASK_SIGNAL)
"""Signals of these prefixes end a wait for a callback, which only its link may send, for a lock, for a person, or
at a breakpoint."""


async def send(
    execution_id: ExecutionId,
    name: str,
    payload: JSON,
    *,
    by: Principal,
    given: Control,
    key: str | None = None,
    transient: bool = False,
) -> Execution:
    """First in, first out per name; the same `key` twice is one signal.

    A `transient` one that finds no step waiting for it is lost, any other is kept until one does. Raises Invalid,
    NotFound, InvalidState when the execution is over.
    """
    checked_text(name, "name", least=1, most=MAX_NAME)
    if name.startswith(RESERVED):
        raise Invalid(f"A signal's name does not begin with {' or '.join(map(repr, RESERVED))}", path=("name",))
    checked(payload, "payload")
    content: dict[str, JSON] = {"name": name, "payload": payload}
    if transient:
        content["transient"] = True
    return await ask(execution_id, Message(kind=InboxKind.SIGNAL, payload=content), by=by, given=given, key=key)
