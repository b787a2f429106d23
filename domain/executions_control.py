"""Wishes about a running execution: cancel, pause, resume, skip a step. Answered when durable, effective later.

A `key` makes a wish idempotent: asked again under it, nothing more happens and the execution answers, even when it is
over by then.
"""

from dataclasses import dataclass, field

from domain.engine.ports import InboxKind
from domain.errors import InvalidState, NotFound
from domain.executions import Execution, ExecutionReader
from domain.graphs import Graph
from domain.ids import ExecutionId, TenantId, encode
from domain.inbox import Doorbell, Inbox, Posted
from domain.json import JSON, JSONObject
from domain.sources import Ids
from domain.storable import checked, checked_text
from domain.tenancy import Principal
from domain.versions import VersionStore

MAX_REASON = 1_000
MAX_PATH = 1_000
MAX_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is wished. `key`: the wish that it repeats when nothing else is given; None: each is another."""

    kind: InboxKind
    payload: JSONObject = field(default_factory=dict[str, JSON])
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What wishes need: bound to one tenant."""

    tenant_id: TenantId
    executions: ExecutionReader
    inbox: Inbox
    doorbell: Doorbell
    ids: Ids


async def load(execution_id: ExecutionId, reader: ExecutionReader) -> Execution:
    """The execution; raises NotFound."""
    found = await reader.by_ids([execution_id])
    if not found:
        raise _missing(execution_id)
    return found[0]


async def cancel(
    execution_id: ExecutionId, reason: str | None, *, by: Principal, given: Control, key: str | None = None
) -> Execution:
    """Asking twice is asking once. Raises NotFound, InvalidState when it is over."""
    if reason is not None:
        checked_text(reason, "reason", most=MAX_REASON)
    message = Message(kind=InboxKind.CANCEL, payload={"reason": reason}, key="cancel")
    return await ask(execution_id, message, by=by, given=given, key=key)


async def pause(execution_id: ExecutionId, *, by: Principal, given: Control, key: str | None = None) -> Execution:
    """What runs, finishes; nothing new begins. Raises NotFound, InvalidState when it is over."""
    return await ask(execution_id, Message(kind=InboxKind.PAUSE), by=by, given=given, key=key)


async def resume(execution_id: ExecutionId, *, by: Principal, given: Control, key: str | None = None) -> Execution:
    """Takes back a pause. Raises NotFound, InvalidState when it is over."""
    return await ask(execution_id, Message(kind=InboxKind.RESUME), by=by, given=given, key=key)


async def skip_step(
    execution_id: ExecutionId,
    path: str,
    output: JSON,
    *,
    by: Principal,
    versions: VersionStore,
    given: Control,
    key: str | None = None,
) -> Execution:
    """The open step of this path is over with `output`, without running (any further).

    Raises NotFound for the execution or a path that cannot be in it, InvalidState when it is over.
    """
    checked(output, "output")
    checked_text(path, "path", least=1, most=MAX_PATH)
    execution = await load(execution_id, given.executions)
    found = await versions.by_ids([execution.version_id])
    if not found or not _names_node(path, found[0].definition.graph):
        raise NotFound("step", path[:200], path=("path",))
    message = Message(kind=InboxKind.SKIP, payload={"path": path, "output": output}, key=path)
    return await ask(execution_id, message, by=by, given=given, key=key)


async def ask(
    execution_id: ExecutionId, message: Message, *, by: Principal, given: Control, key: str | None
) -> Execution:
    """Post the message in the name of `by`; a caller's `key` is kept in its event, where a repetition finds it."""
    payload: dict[str, JSON] = {**message.payload, "by": str(by.actor)}
    if key is None:
        return await wish(execution_id, message.kind, message.key or str(given.ids()), payload, given=given)
    # A name of its own, so that no caller's key is ever that of a message of the engine.
    own = f"key:{checked_text(key, 'key', least=1, most=MAX_KEY)}"
    return await wish(execution_id, message.kind, own, {**payload, "key": own}, given=given)


async def wish(
    execution_id: ExecutionId, kind: InboxKind, key: str, payload: JSONObject, *, given: Control
) -> Execution:
    """Commit a message to the execution's owner, ring, and give the execution as it is then."""
    posted = await given.inbox.post(given.tenant_id, execution_id, kind, key, payload)
    match posted:
        case Posted.MISSING:
            raise _missing(execution_id)
        case Posted.FINISHED:
            raise InvalidState(
                f"The execution {encode('execution', execution_id)} is over",
                path=("id",),
                remedy="executionRetry makes a new execution of it.",
            )
        case Posted.ACCEPTED | Posted.REPEATED:
            await given.doorbell.ring(given.tenant_id, [execution_id])
    return await load(execution_id, given.executions)


def _missing(execution_id: ExecutionId) -> NotFound:
    return NotFound("execution", encode("execution", execution_id))


def _names_node(path: str, graph: Graph) -> bool:
    """Whether the path begins with a node of the graph: `price`, `price#2`, `loop[3].price`."""
    head = path.partition("[")[0].partition("#")[0]
    return any(node.id == head for node in graph.nodes)
