"""Multi-Merge: branches converge, and every one that arrives makes what follows run once more."""

import pytest

from domain.engine.events import EventKind
from domain.graphs import JoinMode, Node
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import give, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, joining

PATTERN = Pattern(
    number=8,
    name="Multi-Merge",
    support=Support.SUPPORTED,
    how="`merge` with `mode: each`, or `join: each` on any node: it runs once for every edge taken, "
    "and so does what follows.",
)


@pytest.mark.parametrize(
    "meet", [step("meet", "merge", mode="each"), joining(JoinMode.EACH, give("meet", at="{{ input.status }}"))]
)
async def test_what_follows_runs_once_for_every_branch_that_arrives(
    engine: EngineRoom, server: LocalServer, meet: Node
) -> None:
    server.hold("/a", "/b")
    definition = drawn(
        *calls(server.url, "a", "b"), meet, give("after", n=1), "start > a > meet > after", "start > b > meet"
    )
    execution = await engine.run(definition)
    server.let_go("/a")
    await engine.event(execution, EventKind.STEP_COMPLETED, "after")
    server.let_go("/b")

    assert (await engine.ending(execution)).status == "COMPLETED"
    trail = [path for _, path in await engine.trail(execution) if path]
    assert trail == ["start", "a", "meet", "after", "b", "meet#2", "after#2"]


async def test_branches_that_arrive_together_are_not_lost(engine: EngineRoom) -> None:
    meet = step("meet", "merge", mode="each")
    names = [f"n{number}" for number in range(20)]
    branches = [give(name, n=name) for name in names]
    definition = drawn(
        *branches, meet, give("after", n=1), *(f"start > {name} > meet" for name in names), "meet > after"
    )
    execution = await engine.run(definition)

    assert (await engine.ending(execution)).status == "COMPLETED"
    ran = [path for _, path in await engine.trail(execution) if path and path.startswith("after")]
    assert sorted(ran) == sorted(["after", *(f"after#{number}" for number in range(2, 21))])
