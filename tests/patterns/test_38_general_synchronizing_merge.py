"""General Synchronizing Merge: the thread is passed on when every branch that is alive has come, or when none of those
that have not come can ever come, whatever the graph looks like; cycles are no exception.
"""

import pytest

from domain.engine.events import EventKind
from domain.graphs import Definition
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer, answer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, way

PATTERN = Pattern(
    number=38,
    name="General Synchronizing Merge",
    support=Support.SUPPORTED,
    how="Any node with several incoming edges. An edge that leaves a cycle counts as not taken only when nothing in "
    "the cycle can run any more.",
)


def searching(server: LocalServer) -> Definition:
    """One branch searches on a cycle, and may leave it towards the merge or past it; the other goes straight there."""
    return drawn(
        *calls(server.url, "other", "search", "past", "go"),
        step(
            "verdict",
            "switch",
            expression="{{ input.body }}",
            cases=[{"name": "again", "equals": "again"}, {"name": "found", "equals": "found"}],
        ),
        step("meet", "merge"),
        "start > other > meet > go",
        "start > search > verdict:found > meet",
        "verdict:default > past",
        way("verdict:again > search", at_most=10),
    )


async def test_the_merge_waits_while_the_cycle_runs_and_until_its_branch_has_come(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/search")
    server.reply("/search", answer("again"), answer("again"), answer("found"))
    execution = await engine.run(searching(server))
    await engine.event(execution, EventKind.STEP_COMPLETED, "other")
    server.let_go("/search")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [path for _, path in await engine.trail(execution)] == [
        "start",
        "other",
        "search",
        "verdict",
        "search#2",
        "verdict#2",
        "search#3",
        "verdict#3",
        "meet",
        "go",
        None,
    ]


async def test_the_merge_goes_on_without_a_branch_that_can_no_longer_come(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/search", "/past")
    server.reply("/search", answer("again"), answer("lost"))
    execution = await engine.run(searching(server))
    await engine.event(execution, EventKind.STEP_COMPLETED, "other")
    server.let_go("/search")
    await engine.event(execution, EventKind.STEP_COMPLETED, "go")
    server.let_go("/past")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [path for _, path in await engine.trail(execution)] == [
        "start",
        "other",
        "search",
        "verdict",
        "search#2",
        "verdict#2",
        "meet",
        "go",
        "past",
        None,
    ]


@pytest.mark.parametrize("drawing", [("once", "repeat"), ("repeat", "once")])
async def test_a_merge_on_a_cycle_does_not_wait_again_for_what_comes_only_once(
    engine: EngineRoom, server: LocalServer, drawing: tuple[str, ...]
) -> None:
    server.hold("/once")
    execution = await engine.run(
        drawn(
            *calls(server.url, "once", "repeat"),
            step("meet", "merge"),
            step("count", "set", values={"passes": "{{ vars.passes + 1 }}"}, keepOnly=True),
            step("again", "if", condition="{{ input.passes < 3 }}"),
            step("done", "end"),
            *(f"start > {name} > meet" for name in drawing),
            "meet > count > again:false > done",
            way("again:true > repeat", at_most=10),
            variables={"passes": 0},
        )
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "repeat")
    server.let_go("/once")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"passes": 3})
    watched = ("once", "repeat", "meet")
    trail = [path for _, path in await engine.trail(execution) if path and path.startswith(watched)]
    assert trail == ["repeat", "once", "meet", "repeat#2", "meet#2", "repeat#3", "meet#3"]
