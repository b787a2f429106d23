"""Generalised AND-Join: the thread is passed on when every branch has been enabled; a branch that is enabled more often
between two firings keeps what it has too many for the firings to come.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, calls, drawn

PATTERN = Pattern(
    number=33,
    name="Generalised AND-Join",
    support=Support.SUPPORTED,
    how="A join counts what comes over each of its edges: behind a `join: each` it fires once per full set. What comes "
    "from outside as signals is kept for the `wait` nodes of a `loop` whose body joins them.",
)


async def test_what_one_branch_has_too_many_is_kept_for_the_next_firing(engine: EngineRoom) -> None:
    join = body(
        step("a", "wait", signal="a"), step("b", "wait", signal="b"), step("pair", "merge"), "a > pair", "b > pair"
    )
    pairs = step("pairs", "loop", type="for", times=2, body=join)
    execution = await engine.run(drawn(pairs, "start > pairs"))

    await engine.signal(execution, "a", "a1")
    await engine.signal(execution, "a", "a2")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)
    await engine.signal(execution, "b", "b1")
    await engine.event(execution, EventKind.STEP_COMPLETED, "pairs[1].a")
    await engine.signal(execution, "b", "b2")

    assert await engine.ending(execution) == Ending(
        status="COMPLETED", output=[{"a": "a1", "b": "b1"}, {"a": "a2", "b": "b2"}]
    )
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "pairs[0].a",
        "pairs[0].b",
        "pairs[0].pair",
        "pairs[1].a",
        "pairs[1].b",
        "pairs[1].pair",
        "pairs",
    ]


async def test_threads_that_come_twice_over_one_branch_wait_for_the_other(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/c", "/d")
    execution = await engine.run(
        drawn(
            *calls(server.url, "a", "b", "c", "d", "go"),
            step("left", "merge", mode="each"),
            step("right", "merge", mode="each"),
            step("pair", "merge"),
            "start > a > left > pair > go",
            "start > b > left",
            "start > c > right > pair",
            "start > d > right",
        )
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "left#2")
    server.let_go("/c")
    await engine.event(execution, EventKind.STEP_COMPLETED, "go")
    server.let_go("/d")

    assert (await engine.ending(execution)).status == "COMPLETED"
    watched = ("c", "pair", "d", "pair#2", "pair#3")
    assert [path for _, path in await engine.trail(execution) if path in watched] == ["c", "pair", "d", "pair#2"]
    assert server.count("/go") == 2
