"""Milestone: a task can be enabled only while the process is in a given state: not before that state is reached, which
the task waits for, and never again once the process has gone beyond it.
"""

from domain.engine.events import EventKind
from domain.graphs import Definition
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import give, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=18,
    name="Milestone",
    support=Support.SUPPORTED,
    how="A gate before the task joins the task's own branch with an edge from the step that reaches the milestone; "
    "a `cancel` node where the process leaves the milestone withdraws the gate.",
)


def order(url: str) -> Definition:
    """A change of address is possible once the order is accepted, and until it is packed."""
    return drawn(
        *calls(url, "accept", "pack", "ship", "change"),
        step("asked", "wait", signal="new-address"),
        give("gate", n=1),
        step("closed", "cancel", nodes=["asked", "gate"]),
        "start > accept > pack > closed > ship",
        "start > asked > gate > change",
        "accept > gate",
    )


async def test_before_the_milestone_the_task_waits_for_it(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/accept", "/pack")
    execution = await engine.run(order(server.url))
    await engine.signal(execution, "new-address")
    await engine.event(execution, EventKind.STEP_COMPLETED, "asked")
    assert server.count("/change") == 0

    server.let_go("/accept")
    await server.has("/change")
    server.let_go("/pack")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert sorted(each.path for each in server.asked) == ["/accept", "/change", "/pack", "/ship"]


async def test_at_the_milestone_the_task_runs_and_does_not_move_the_process(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/pack", "/change")
    execution = await engine.run(order(server.url))
    await server.has("/pack")
    await engine.signal(execution, "new-address")
    await server.has("/change")
    server.let_go("/pack")
    await engine.event(execution, EventKind.STEP_COMPLETED, "ship")
    server.let_go("/change")  # what was begun in time is not taken back

    assert (await engine.ending(execution)).status == "COMPLETED"
    completed = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert completed == ["start", "accept", "asked", "gate", "pack", "closed", "ship", "change"]


async def test_beyond_the_milestone_the_task_is_never_enabled(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/ship")
    execution = await engine.run(order(server.url))
    await server.has("/ship")
    await engine.signal(execution, "new-address")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    server.let_go("/ship")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/accept", "/pack", "/ship"]
