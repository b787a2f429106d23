"""Persistent Trigger: a task is triggered by a signal which is kept until some task of the process can act on it."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=24,
    name="Persistent Trigger",
    support=Support.SUPPORTED,
    how="A `wait` for a signal. One that comes before its wait is kept, first in, first out per name.",
)


async def test_triggers_that_come_too_early_are_kept_in_their_order(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/prepare")
    first = step("first", "wait", signal="bell")
    second = step("second", "wait", signal="bell")
    nodes = (
        *calls(server.url, "prepare"),
        first,
        second,
        step("both", "end", output="{{ [steps.first.output, steps.second.output] }}"),
    )
    execution = await engine.run(drawn(*nodes, "start > prepare > first > second > both"))
    await server.has("/prepare")
    await engine.signal(execution, "bell", 1)
    await engine.signal(execution, "bell", 2)
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)

    server.let_go("/prepare")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[1, 2])


async def test_a_trigger_is_kept_although_no_engine_is_there_to_hear_it(room: EngineRoom) -> None:
    listen = step("listen", "wait", signal="bell")
    execution = await room.start(await room.publish(drawn(listen, "start > listen")), ring=False)
    await room.signal(execution, "bell", "kept", ring=False)

    async with room.running():
        assert await room.ending(execution) == Ending(status="COMPLETED", output="kept")
