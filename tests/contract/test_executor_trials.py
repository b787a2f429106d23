"""Tests on real servers that stop and go on: at every sort of step, and whoever has them."""

from dataclasses import replace

import pytest

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import FailureStrategy
from domain.trials import Breakpoint, Mark, Mode, Pin, Trial, When
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import AT_ONCE, flow, give, http, step
from tests.contract.local_server import LocalServer, answer
from tests.contract.trying import before, go_on, marks, stopped, tried

pytest_plugins = ["tests.contract.engine_fixture"]

CHAIN = flow(give("a", n=1), give("b", n=2), step("done", "end", output="{{ steps.b.output }}"), "start > a > b > done")


async def test_an_execution_stops_before_a_node_and_goes_on_when_told(engine: EngineRoom) -> None:
    execution = await tried(engine, CHAIN, Trial(breakpoints=before("b")))
    await stopped(engine, execution, "b")
    await engine.let_go(execution)

    await go_on(engine, execution, "b")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 2})
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "a"),
        ("WAITING", "b"),
        ("SIGNAL_RECEIVED", None),
        ("STEP_COMPLETED", "b"),
        ("STEP_COMPLETED", "done"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_a_breakpoint_after_a_node_is_before_everything_it_activates(engine: EngineRoom) -> None:
    definition = flow(give("a", n=1), give("b", n=2), give("c", n=3), "start > a > b", "a > c")
    execution = await tried(engine, definition, Trial(breakpoints=(Breakpoint(node="a", when=When.AFTER),)))
    await stopped(engine, execution, "b")
    await stopped(engine, execution, "c")

    await go_on(engine, execution, "c")
    await go_on(engine, execution, "b")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"b": {"n": 2}, "c": {"n": 3}})


async def test_a_test_that_steps_stops_before_every_step_until_it_is_told_to_continue(engine: EngineRoom) -> None:
    execution = await tried(engine, CHAIN, Trial(stepping=True))
    for path in ("start", "a"):
        await stopped(engine, execution, path)
        await go_on(engine, execution, path, Mode.STEP)
    await stopped(engine, execution, "b")
    await go_on(engine, execution, "b")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 2})


async def test_stepping_begins_where_a_breakpoint_has_stopped_it(engine: EngineRoom) -> None:
    execution = await tried(engine, CHAIN, Trial(breakpoints=before("a")))
    await stopped(engine, execution, "a")
    await go_on(engine, execution, "a", Mode.STEP)
    await stopped(engine, execution, "b")


async def test_a_stopped_test_can_be_cancelled(engine: EngineRoom) -> None:
    execution = await tried(engine, CHAIN, Trial(breakpoints=before("b")))
    await stopped(engine, execution, "b")

    await engine.post(execution, InboxKind.CANCEL)

    assert await engine.ending(execution) == Ending(status="CANCELLED")


async def test_going_on_twice_releases_a_step_once_and_nothing_else(engine: EngineRoom) -> None:
    execution = await tried(engine, CHAIN, Trial(breakpoints=before("a", "b")))
    await stopped(engine, execution, "a")
    await go_on(engine, execution, "a")
    await stopped(engine, execution, "b")
    await go_on(engine, execution, "a")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)
    await go_on(engine, execution, "b")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [kind for kind, path in await engine.trail(execution) if path == "a"] == ["WAITING", "STEP_COMPLETED"]


async def test_a_breakpoint_stops_the_first_attempt_and_no_retry(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/flaky", answer(status=500), answer({"ok": True}))
    definition = flow(http("flaky", f"{server.url}/flaky", retry=AT_ONCE), "start > flaky")
    execution = await tried(engine, definition, Trial(breakpoints=before("flaky"), effects=frozenset({"flaky"})))
    await stopped(engine, execution, "flaky")

    await go_on(engine, execution, "flaky")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [kind for kind, path in await engine.trail(execution) if path == "flaky"] == [
        "WAITING",
        "STEP_FAILED",
        "STEP_COMPLETED",
    ]


LOOP = flow(
    step(
        "loop",
        "loop",
        items=[1, 2],
        body={
            "nodes": [
                {"id": "double", "kind": "set", "config": {"values": {"n": "{{ item * 2 }}"}, "keepOnly": True}},
            ]
        },
    ),
    "start > loop",
)


async def test_a_breakpoint_in_a_body_stops_every_iteration(engine: EngineRoom) -> None:
    execution = await tried(engine, LOOP, Trial(breakpoints=before("loop.double")))
    for path in ("loop[0].double", "loop[1].double"):
        await stopped(engine, execution, path)
        await go_on(engine, execution, path)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[{"n": 2}, {"n": 4}])


async def test_a_loop_goes_on_after_its_breakpoint_whoever_has_it(room: EngineRoom) -> None:
    published = await room.publish(LOOP)
    async with room.running():
        execution = await tried(room, published, Trial(breakpoints=before("loop", "loop.double")))
        await stopped(room, execution, "loop")
        await room.let_go(execution)
    async with room.running():
        await go_on(room, execution, "loop")
        await stopped(room, execution, "loop[0].double")
        await room.let_go(execution)
    async with room.running():
        await go_on(room, execution, "loop[0].double")
        await stopped(room, execution, "loop[1].double")
        await go_on(room, execution, "loop[1].double")
        assert await room.ending(execution) == Ending(status="COMPLETED", output=[{"n": 2}, {"n": 4}])
    began = [kind for kind, path in await room.trail(execution) if path == "loop"]
    assert began == ["WAITING", "WAITING", "STEP_COMPLETED"]


async def test_a_pin_and_a_breakpoint_of_an_each_are_those_of_the_whole(
    engine: EngineRoom, server: LocalServer
) -> None:
    send = replace(http("send", server.url), each=["a", "b"])
    trial = Trial(breakpoints=before("send"), pins={"send": Pin(output=[1, 2])})
    execution = await tried(engine, flow(send, "start > send"), trial)
    await stopped(engine, execution, "send")

    await go_on(engine, execution, "send")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[1, 2])
    assert await marks(engine, execution) == {"send": Mark.PINNED}


async def test_stepping_stops_before_what_is_undone_too(engine: EngineRoom) -> None:
    node = replace(give("a", n=1), compensation={"kind": "set", "config": {"values": {"undone": True}}})
    definition = flow(node, step("stop", "fail", message="no"), "start > a > stop", strategy=FailureStrategy.COMPENSATE)
    execution = await tried(engine, definition, Trial(breakpoints=before("stop")))
    await stopped(engine, execution, "stop")
    await go_on(engine, execution, "stop", Mode.STEP)
    await stopped(engine, execution, "a:undo")
    await go_on(engine, execution, "a:undo")

    ending = await engine.ending(execution)
    assert (ending.status, ending.code, ending.message) == ("FAILED", "FAILED_BY_WORKFLOW", "no")


async def test_a_released_step_whose_worker_is_gone_runs_afresh_elsewhere(
    room: EngineRoom, server: LocalServer
) -> None:
    server.hold("/slow")
    definition = flow(http("slow", f"{server.url}/slow"), "start > slow")
    trial = Trial(breakpoints=before("slow"), effects=frozenset({"slow"}))
    async with room.running(drain_seconds=0.1):
        execution = await tried(room, definition, trial)
        await stopped(room, execution, "slow")
        await go_on(room, execution, "slow")
        await server.has("/slow")
    server.let_go("/slow")
    async with room.running():
        await room.sweep()
        assert (await room.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/slow", "/slow"]
    assert [kind for kind, path in await room.trail(execution) if path == "slow"] == ["WAITING", "STEP_COMPLETED"]


@pytest.mark.parametrize("wake", [InboxKind.PAUSE, InboxKind.SKIP])
async def test_a_stopped_step_takes_a_pause_and_a_skip_as_any_other(engine: EngineRoom, wake: InboxKind) -> None:
    execution = await tried(engine, CHAIN, Trial(breakpoints=before("b")))
    await stopped(engine, execution, "b")
    if wake is InboxKind.SKIP:
        await engine.post(execution, wake, {"path": "b", "output": {"n": 9}})
        assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 9})
        return
    await engine.post(execution, wake)
    await go_on(engine, execution, "b")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    await engine.post(execution, InboxKind.RESUME)
    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 2})


async def test_a_stopped_step_holds_no_lock(engine: EngineRoom) -> None:
    locked = replace(give("a", n=1), lock={"name": "door"})
    published = await engine.publish(flow(locked, "start > a"))
    execution = await tried(engine, published, Trial(breakpoints=before("a")))
    await stopped(engine, execution, "a")

    assert (await engine.ending(await engine.start(published))).status == "COMPLETED"
    await go_on(engine, execution, "a")
    assert (await engine.ending(execution)).status == "COMPLETED"
