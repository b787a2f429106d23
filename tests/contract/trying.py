"""Executions in test mode, as contract tests begin, stop and release them."""

from collections.abc import Mapping

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import Definition
from domain.ids import ExecutionId
from domain.json import JSON
from domain.trials import Breakpoint, Mark, Mode, Trial, breakpoint_signal
from domain.trials_running import marks_of
from tests.contract.engine_room import EngineRoom, Published

NO_EFFECTS = Trial()


async def tried(
    room: EngineRoom, definition: Definition | Published, trial: Trial = NO_EFFECTS, value: JSON = None
) -> ExecutionId:
    published = definition if isinstance(definition, Published) else await room.publish(definition)
    (execution,) = await room.insert(published, [room.prepared(published, value, trial=trial)])
    return execution


async def stopped(room: EngineRoom, execution: ExecutionId, path: str) -> None:
    """Return once the execution has stopped before this step."""
    event = await room.event(execution, EventKind.WAITING, path)
    assert event.payload == {"signal": breakpoint_signal(path)}


async def go_on(room: EngineRoom, execution: ExecutionId, path: str, mode: Mode = Mode.CONTINUE) -> None:
    name = breakpoint_signal(path)
    payload: dict[str, JSON] = {"name": name, "payload": {"mode": mode.value}, "transient": True}
    await room.post(execution, InboxKind.SIGNAL, payload)


async def marks(room: EngineRoom, execution: ExecutionId) -> Mapping[str, Mark]:
    return dict(marks_of(await room.log(execution)))


def before(*nodes: str) -> tuple[Breakpoint, ...]:
    return tuple(Breakpoint(node=node) for node in nodes)
