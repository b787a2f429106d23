"""Local Synchronizing Merge: branches that parted earlier, in a graph that need not be structured, meet where nobody
knows how many are alive; the merge finds out from what comes over its own edges how many it must wait for.
"""

import pytest

from domain.engine.events import EventKind
from domain.graphs import Definition
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, way

PATTERN = Pattern(
    number=37,
    name="Local Synchronizing Merge",
    support=Support.SUPPORTED,
    how="Any node with several incoming edges. A way that is not taken tells the joins behind it so, along its edges.",
)


def crossing(server: LocalServer) -> Definition:
    """Three ways, each taken or not, that meet in two joins, of which the second also waits for the first."""
    return drawn(
        *calls(server.url, "a", "b", "c"),
        step("inner", "log", message="{{ input }}"),
        step("outer", "end", output="{{ Object.keys(input) }}"),
        way("start > a", when="{{ trigger.includes('a') }}"),
        way("start > b", when="{{ trigger.includes('b') }}"),
        way("start > c", when="{{ trigger.includes('c') }}"),
        "a > inner > outer",
        "b > inner",
        "b > outer",
        "c > outer",
    )


async def test_each_join_waits_for_the_ways_that_are_alive_and_for_no_other(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/a")
    execution = await engine.run(crossing(server), ["a", "c"])
    await engine.event(execution, EventKind.STEP_COMPLETED, "c")
    await server.has("/a")
    server.let_go("/a")

    ending = await engine.ending(execution)

    assert (ending.status, ending.output) == ("COMPLETED", ["inner", "c"])
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "c"),
        ("STEP_COMPLETED", "a"),
        ("STEP_COMPLETED", "inner"),
        ("STEP_COMPLETED", "outer"),
        ("EXECUTION_COMPLETED", None),
    ]


@pytest.mark.parametrize(
    ("taken", "steps"),
    [
        (["a", "b", "c"], {"a", "b", "c", "inner", "outer"}),
        (["b", "c"], {"b", "c", "inner", "outer"}),
        (["a", "b"], {"a", "b", "inner", "outer"}),
        (["b"], {"b", "inner", "outer"}),
        (["a"], {"a", "inner", "outer"}),
        (["c"], {"c", "outer"}),
        ([], set[str]()),
    ],
)
async def test_every_choice_of_ways_comes_to_its_end(
    engine: EngineRoom, server: LocalServer, taken: list[str], steps: set[str]
) -> None:
    execution = await engine.run(crossing(server), [*taken])

    assert (await engine.ending(execution)).status == "COMPLETED"
    settled = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert sorted(filter(None, settled)) == sorted({"start", *steps})
