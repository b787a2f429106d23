"""Cancel Region: tasks that need not be connected are disabled together, or withdrawn if they run."""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=25,
    name="Cancel Region",
    support=Support.SUPPORTED,
    how="A `cancel` node names the region: what runs or waits there is cancelled, what has not begun is skipped.",
)


async def test_a_region_is_withdrawn_and_what_lies_outside_goes_on(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/quote", "/ship")
    execution = await engine.run(
        drawn(
            *calls(server.url, "quote", "offer", "ship", "bill"),
            step("remind", "wait", signal="never"),
            step("doubt", "wait", signal="changed-my-mind"),
            step("withdraw", "cancel", nodes=["quote", "offer", "remind"]),
            "start > quote > offer",
            "start > remind",
            "start > ship > bill",
            "start > doubt > withdraw",
        )
    )
    await server.has("/quote")
    await server.has("/ship")
    await engine.event(execution, EventKind.WAITING, "remind")
    await engine.event(execution, EventKind.WAITING, "doubt")

    await engine.signal(execution, "changed-my-mind")
    await server.lost("/quote")
    server.let_go("/ship")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [server.count(path) for path in ("/offer", "/bill")] == [0, 1]
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "doubt",
        "withdraw",
        "ship",
        "bill",
    ]
