"""Cancelling Partial Join: the n-th of m branches passes the thread on and cancels the branches that still run."""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=32,
    name="Cancelling Partial Join",
    support=Support.SUPPORTED,
    how="A `merge` with `mode: n` and the number `n`.",
)


async def test_two_of_four_go_on_and_the_others_are_cancelled(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/a", "/b", "/c", "/d")
    execution = await engine.run(
        drawn(
            *calls(server.url, "a", "b", "c", "d", "go"),
            step("two", "merge", mode="n", n=2),
            "start > a > two > go",
            "start > b > two",
            "start > c > two",
            "start > d > two",
        )
    )
    await server.has("/b")
    await server.has("/d")
    server.let_go("/c")
    await engine.event(execution, EventKind.STEP_COMPLETED, "c")
    assert (server.count("/go"), server.hung_up) == (0, [])

    server.let_go("/a")

    assert (await engine.ending(execution)).status == "COMPLETED"
    await server.lost("/b")
    await server.lost("/d")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "c"),
        ("STEP_COMPLETED", "a"),
        ("STEP_COMPLETED", "two"),
        ("STEP_COMPLETED", "go"),
        ("EXECUTION_COMPLETED", None),
    ]
