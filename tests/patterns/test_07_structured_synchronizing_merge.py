"""Structured Synchronizing Merge: the branches that an earlier multi-choice took converge, each of them awaited."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=7,
    name="Structured Synchronizing Merge",
    support=Support.SUPPORTED,
    how="`merge`, or any node that several edges lead to, waits until every edge is taken or dead: "
    "for as many branches as the choice before it has taken.",
)

BRANCHES = ("a", "b", "c")


async def test_exactly_the_branches_taken_are_awaited(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/b")
    choice = step(
        "choice", "switch", mode="all", cases=[{"name": name, "when": f"{{{{ input.{name} }}}}"} for name in BRANCHES]
    )
    definition = drawn(
        choice,
        *calls(server.url, *BRANCHES),
        give("beside", n=1),
        step("meet", "merge"),
        step("done", "end", output="met"),
        "start > choice:a > a > meet > done",
        "choice:b > b > meet",
        "choice:c > c > meet",
        "a > beside",
    )
    published = await engine.publish(definition)
    one, two = await engine.start_all(
        published, [{"a": True, "b": False, "c": False}, {"a": True, "b": True, "c": False}]
    )

    assert await engine.ending(one) == Ending(status="COMPLETED", output="met")
    await server.has("/b")
    await engine.event(two, EventKind.STEP_COMPLETED, "beside")
    server.let_go("/b")

    assert await engine.ending(two) == Ending(status="COMPLETED", output="met")
    trails = [[path for _, path in await engine.trail(each) if path] for each in (one, two)]
    assert sorted(trails[0]) == ["a", "beside", "choice", "done", "meet", "start"]
    assert trails[1] == ["start", "choice", "a", "beside", "b", "meet", "done"]
    assert server.count("/c") == 0
