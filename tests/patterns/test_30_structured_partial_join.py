"""Structured Partial Join: the n-th of m branches passes the thread on; what comes later goes no further."""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=30,
    name="Structured Partial Join",
    support=Support.SUPPORTED,
    how="A `merge` with `mode: n`, the number `n`, and `cancel: false`.",
)


async def test_two_of_three_go_on_and_the_third_finishes_without_following_them(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/a", "/b", "/c")
    execution = await engine.run(
        drawn(
            *calls(server.url, "a", "b", "c", "go"),
            step("two", "merge", mode="n", n=2, cancel=False),
            "start > a > two > go",
            "start > b > two",
            "start > c > two",
        )
    )
    server.let_go("/c")
    await engine.event(execution, EventKind.STEP_COMPLETED, "c")
    assert server.count("/go") == 0

    server.let_go("/a")
    await engine.event(execution, EventKind.STEP_COMPLETED, "go")
    server.let_go("/b")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert server.count("/go") == 1
    assert server.hung_up == []
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "c"),
        ("STEP_COMPLETED", "a"),
        ("STEP_COMPLETED", "two"),
        ("STEP_COMPLETED", "go"),
        ("STEP_COMPLETED", "b"),
        ("EXECUTION_COMPLETED", None),
    ]
