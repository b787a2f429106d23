"""Synchronization: branches converge into one, which goes on once every one of them has completed."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=3,
    name="Synchronization",
    support=Support.SUPPORTED,
    how="Every node that several edges lead to waits for all of them; `merge` (mode `all`) says so with a node.",
)


async def test_what_follows_begins_once_and_after_the_last_branch(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/a", "/b")
    done = step("done", "end", output="{{ input.a.status + input.b.status }}")
    definition = drawn(
        *calls(server.url, "a", "b"),
        give("beside", n=1),
        step("meet", "merge"),
        done,
        "start > a > meet > done",
        "start > b > meet",
        "a > beside",
    )
    execution = await engine.run(definition)
    await server.has("/b")
    server.let_go("/a")
    # Behind `a` something else has run to its end: had the join been open, it would have been passed by now.
    await engine.event(execution, EventKind.STEP_COMPLETED, "beside")

    server.let_go("/b")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=400)
    assert [path for _, path in await engine.trail(execution) if path] == ["start", "a", "beside", "b", "meet", "done"]
