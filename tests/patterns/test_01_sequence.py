"""Sequence: a task is enabled when the one before it in the same process has completed, and not earlier."""

from tests.contract.engine_room import EngineRoom
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=1,
    name="Sequence",
    support=Support.SUPPORTED,
    how="An edge from one node to the next.",
)


async def test_a_step_begins_when_the_one_before_it_has_completed(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/first")
    nodes = calls(server.url, "first", "second", "last")
    execution = await engine.run(drawn(*nodes, "start > first > second > last"))
    await server.has("/first")
    assert [each.path for each in server.asked] == ["/first"]

    server.let_go("/first")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/first", "/second", "/last"]
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "first"),
        ("STEP_COMPLETED", "second"),
        ("STEP_COMPLETED", "last"),
        ("EXECUTION_COMPLETED", None),
    ]
