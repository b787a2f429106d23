"""Cancelling Discriminator: the first of several branches passes the thread on and cancels the others."""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, way

PATTERN = Pattern(
    number=29,
    name="Cancelling Discriminator",
    support=Support.SUPPORTED,
    how="A `merge` with `mode: any` (the first that finishes) or `mode: first` (the first that succeeds).",
)


async def test_the_first_branch_goes_on_and_the_others_are_cancelled(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/a", "/b", "/c")
    execution = await engine.run(
        drawn(
            *calls(server.url, "a", "b", "c", "late", "go"),
            step("first", "merge", mode="any"),
            "start > a > first > go",
            "start > b > first",
            "start > c > late > first",
        )
    )
    for path in ("/a", "/b", "/c"):
        await server.has(path)

    server.let_go("/b")

    assert (await engine.ending(execution)).status == "COMPLETED"
    await server.lost("/a")
    await server.lost("/c")
    assert (server.count("/go"), server.count("/late")) == (1, 0)
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "b"),
        ("STEP_COMPLETED", "first"),
        ("STEP_COMPLETED", "go"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_it_is_reset_for_the_next_pass(engine: EngineRoom) -> None:
    execution = await engine.run(
        drawn(
            step("fork", "parallel"),
            step("a", "wait", signal="a"),
            step("b", "wait", signal="b"),
            step("first", "merge", mode="any"),
            step("again", "if", condition="{{ input == 'again' }}"),
            step("done", "end"),
            "start > fork > a > first > again:false > done",
            "fork > b > first",
            way("again:true > fork", at_most=5),
        )
    )
    await engine.event(execution, EventKind.WAITING, "b")
    await engine.signal(execution, "a", "again")
    await engine.event(execution, EventKind.WAITING, "b#2")

    await engine.signal(execution, "b", "over")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="over")
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "fork",
        "a",
        "first",
        "again",
        "fork#2",
        "b#2",
        "first#2",
        "again#2",
        "done",
    ]
