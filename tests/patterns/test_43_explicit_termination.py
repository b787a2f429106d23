"""Explicit Termination: at a given end the process is over, successfully; what it still does is cancelled."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=43,
    name="Explicit Termination",
    support=Support.SUPPORTED,
    how="An `end` node with `terminate: true`.",
)


async def test_reaching_the_end_completes_the_process_and_cancels_the_rest(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/slow", "/decide")
    execution = await engine.run(
        drawn(
            *calls(server.url, "slow", "after", "decide"),
            step("remind", "wait", signal="never"),
            step("over", "end", output="decided", terminate=True),
            "start > slow > after",
            "start > remind",
            "start > decide > over",
        )
    )
    await server.has("/slow")
    await server.has("/decide")
    await engine.event(execution, EventKind.WAITING, "remind")

    server.let_go("/decide")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="decided")
    await server.lost("/slow")
    assert server.count("/after") == 0
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("WAITING", "remind"),
        ("STEP_COMPLETED", "decide"),
        ("STEP_COMPLETED", "over"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_an_end_that_does_not_terminate_lets_the_rest_go_on(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(
        drawn(*calls(server.url, "slow", "after"), step("over", "end"), "start > slow > after", "start > over")
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "over")
    server.let_go("/slow")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert server.count("/after") == 1
