"""Cancel Task: an enabled task is withdrawn before it begins; one that runs is stopped, if it can be."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=19,
    name="Cancel Task",
    support=Support.SUPPORTED,
    how="A `cancel` node ends the steps of the nodes it names: what runs is stopped, what waits is withdrawn, "
    "what has not begun is skipped.",
)


async def test_a_running_task_is_stopped_and_the_rest_goes_on(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    definition = drawn(
        *calls(server.url, "slow", "behind", "beside"),
        step("enough", "wait", signal="enough"),
        step("stop", "cancel", nodes=["slow"]),
        step("done", "end", output="done"),
        "start > slow > behind",
        "start > enough > stop > beside > done",
    )
    execution = await engine.run(definition)
    await server.has("/slow")
    await engine.signal(execution, "enough")

    await server.lost("/slow")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output="done")
    assert [each.path for each in server.asked] == ["/slow", "/beside"]
    trail = [path for _, path in await engine.trail(execution) if path]
    assert trail == ["start", "enough", "enough", "stop", "beside", "done"]


async def test_a_task_that_waits_is_withdrawn(engine: EngineRoom, server: LocalServer) -> None:
    definition = drawn(
        *calls(server.url, "behind"),
        step("hold", "wait", signal="go"),
        step("enough", "wait", signal="enough"),
        step("stop", "cancel", nodes=["hold"]),
        step("late", "wait", signal="late"),
        "start > hold > behind",
        "start > enough > stop > late",
    )
    execution = await engine.run(definition)
    await engine.let_go(execution)
    await engine.signal(execution, "enough")
    await engine.event(execution, EventKind.STEP_COMPLETED, "stop")
    await engine.signal(execution, "go")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)
    await engine.signal(execution, "late")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert server.asked == []


async def test_a_task_that_has_not_begun_never_begins(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/before")
    definition = drawn(
        *calls(server.url, "before", "task", "after"),
        step("stop", "cancel", nodes=["task"]),
        "start > before > task > after",
        "start > stop",
    )
    execution = await engine.run(definition)
    await server.has("/before")
    await engine.event(execution, EventKind.STEP_COMPLETED, "stop")
    server.let_go("/before")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/before"]
