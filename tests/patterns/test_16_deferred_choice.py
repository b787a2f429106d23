"""Deferred Choice: one of several branches is taken, and not the data but whatever happens first outside decides; from
that moment on the other branches are withdrawn.
"""

from domain.engine.events import EventKind
from domain.graphs import Definition
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=16,
    name="Deferred Choice",
    support=Support.SUPPORTED,
    how="`wait` with `signals`, each naming the output it takes, and with a `timeout`: the first of them decides. "
    "Branches that each wait for something else end in `merge` with `mode: any`, or withdraw each other with `cancel`.",
)


def contract(url: str, seconds: float = 3600) -> Definition:
    """What follows when a party signs, or withdraws, or neither does in time."""
    return drawn(
        step("reply", "wait", signals={"signed": "signed", "withdrawn": "withdrawn"}, timeout=seconds),
        *calls(url, "file", "apologise", "remind"),
        "start > reply:signed > file",
        "reply:withdrawn > apologise",
        "reply:timeout > remind",
    )


async def test_the_first_event_decides_and_a_later_one_changes_nothing(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/file", "/apologise")
    published = await engine.publish(contract(server.url))
    one, other = await engine.start_all(published, [None, None])
    for execution, first, second, path in (
        (one, "signed", "withdrawn", "/file"),
        (other, "withdrawn", "signed", "/apologise"),
    ):
        await engine.let_go(execution)
        assert server.count(path) == 0
        await engine.signal(execution, first)
        await server.has(path)
        await engine.signal(execution, second)
        await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)
        server.let_go(path)
        assert (await engine.ending(execution)).status == "COMPLETED"

    assert [each.path for each in server.asked] == ["/file", "/apologise"]


async def test_a_moment_may_be_among_the_events(engine: EngineRoom, server: LocalServer) -> None:
    execution = await engine.run(contract(server.url, seconds=0.05))

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/remind"]


async def test_branches_that_wait_for_unlike_things_are_withdrawn_by_the_first(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/quote")
    definition = drawn(
        *calls(server.url, "quote"),
        step("visit", "wait", signal="visited"),
        step("first", "merge", mode="any"),
        step("done", "end", output="served"),
        "start > quote > first > done",
        "start > visit > first",
    )
    execution = await engine.run(definition)
    await server.has("/quote")
    await engine.signal(execution, "visited")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="served")
    await server.lost("/quote")
