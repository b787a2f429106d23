"""Transient Trigger: a task is triggered by a signal which is lost if the task does not wait for it at that moment."""

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId
from domain.json import JSON
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=23,
    name="Transient Trigger",
    support=Support.SUPPORTED,
    how="A `wait` for a signal, and a signal that is sent with `transient: true`: nobody keeps it.",
)


async def ring(engine: EngineRoom, execution: ExecutionId, payload: JSON) -> None:
    await engine.post(execution, InboxKind.SIGNAL, {"name": "bell", "payload": payload, "transient": True})


async def test_a_trigger_that_nobody_waits_for_is_lost_and_the_next_one_counts(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/prepare")
    listen = step("listen", "wait", signal="bell")
    execution = await engine.run(drawn(*calls(server.url, "prepare"), listen, "start > prepare > listen"))
    await server.has("/prepare")
    await ring(engine, execution, "too early")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    server.let_go("/prepare")
    await engine.event(execution, EventKind.WAITING, "listen")

    await ring(engine, execution, "in time")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="in time")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("SIGNAL_RECEIVED", None),
        ("STEP_COMPLETED", "prepare"),
        ("WAITING", "listen"),
        ("SIGNAL_RECEIVED", None),
        ("STEP_COMPLETED", "listen"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_a_trigger_wakes_one_task_and_is_not_there_for_the_next(engine: EngineRoom) -> None:
    first, second = step("first", "wait", signal="bell"), step("second", "wait", signal="bell")
    execution = await engine.run(drawn(first, second, "start > first > second"))
    await engine.event(execution, EventKind.WAITING, "first")
    await ring(engine, execution, 1)
    await engine.event(execution, EventKind.WAITING, "second")

    await ring(engine, execution, 2)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=2)
