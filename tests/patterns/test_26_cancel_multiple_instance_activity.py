"""Cancel Multiple Instance Activity: a task's unfinished instances are withdrawn, finished ones stay as they are."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, for_each

PATTERN = Pattern(
    number=26,
    name="Cancel Multiple Instance Activity",
    support=Support.SUPPORTED,
    how="A `cancel` node that names a `loop`, or a node with `each`: every unfinished iteration is cancelled.",
)


async def test_unfinished_instances_are_withdrawn_and_nothing_follows_them(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/ask/2", "/ask/3")
    execution = await engine.run(
        drawn(
            for_each([1, 2, 3], http("ask", f"{server.url}/ask/{{{{ item }}}}"), concurrency=3),
            *calls(server.url, "compare"),
            step("doubt", "wait", signal="changed-my-mind"),
            step("withdraw", "cancel", nodes=["ask"]),
            "start > ask > compare",
            "start > doubt > withdraw",
        )
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "ask[0]")
    await server.has("/ask/2")
    await server.has("/ask/3")

    await engine.signal(execution, "changed-my-mind", "no offers, please")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="no offers, please")
    await server.lost("/ask/2")
    await server.lost("/ask/3")
    assert server.count("/compare") == 0
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "ask[0]",
        "doubt",
        "withdraw",
    ]
