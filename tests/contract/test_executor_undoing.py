"""Compensation of what was under way when something else failed: it finishes first, then it is undone."""

from dataclasses import replace

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import FailureStrategy
from domain.json import JSONObject
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import flow, http, step
from tests.contract.local_server import LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]


async def test_what_runs_when_another_branch_fails_is_finished_and_then_undone(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/pay")
    server.reply("/ship", answer(status=409))
    undo: JSONObject = {
        "kind": "http",
        "config": {"url": f"{server.url}/refund", "method": "POST", "body": "{{ output.body }}"},
    }
    pay = replace(http("pay", f"{server.url}/pay"), compensation=undo)
    execution = await engine.run(
        flow(
            pay,
            step("gate", "wait", signal="go"),
            http("ship", f"{server.url}/ship"),
            "start > pay",
            "start > gate > ship",
            strategy=FailureStrategy.COMPENSATE,
        )
    )
    await server.has("/pay")
    await engine.signal(execution, "go", None)
    await engine.event(execution, EventKind.STEP_FAILED, "ship")
    server.let_go("/pay")

    assert (await engine.ending(execution)).status == "FAILED"
    assert [path for _, path in await engine.trail(execution) if path and "pay" in path] == ["pay", "pay:undo"]
    assert [asked.path for asked in server.asked] == ["/pay", "/ship", "/refund"]


async def test_what_runs_in_other_iterations_when_one_fails_is_finished_and_then_undone(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/make/1")
    server.reply("/make/2", answer(status=409))
    make = replace(
        http("make", f"{server.url}/make/{{{{ item }}}}"),
        each={"items": [1, 2], "concurrency": 2},
        compensation={"kind": "http", "config": {"url": f"{server.url}/remove", "method": "POST"}},
    )
    execution = await engine.run(flow(make, "start > make", strategy=FailureStrategy.COMPENSATE))
    await server.has("/make/1")
    await engine.event(execution, EventKind.STEP_FAILED, "make[1]")
    server.let_go("/make/1")

    assert (await engine.ending(execution)).status == "FAILED"
    assert [path for _, path in await engine.trail(execution) if path and path.startswith("make")] == [
        "make",
        "make[1]",
        "make",
        "make[0]",
        "make[0]:undo",
    ]
    assert server.count("/remove") == 1


async def test_somebody_who_cancels_does_not_wait_for_what_was_cut_off(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    pay = replace(http("pay", f"{server.url}/pay"), compensation={"kind": "log", "config": {"message": "undone"}})
    execution = await engine.run(
        flow(
            pay,
            step("gate", "wait", signal="go"),
            step("stop", "fail", message="no"),
            "start > pay",
            "start > gate > stop",
            strategy=FailureStrategy.COMPENSATE,
        )
    )
    await server.has("/pay")
    await engine.signal(execution, "go", None)
    await engine.event(execution, EventKind.STEP_FAILED, "stop")
    await engine.post(execution, InboxKind.CANCEL, {"reason": "enough"})

    assert (await engine.ending(execution)).status == "FAILED"
    await server.lost("/pay")


async def test_a_lost_worker_leaves_what_was_cut_off_to_the_next_one(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    pay = replace(
        http("pay", f"{server.url}/pay"), compensation={"kind": "http", "config": {"url": f"{server.url}/undo"}}
    )
    published = await room.publish(
        flow(
            pay,
            step("gate", "wait", signal="go"),
            step("stop", "fail", message="no"),
            "start > pay",
            "start > gate > stop",
            strategy=FailureStrategy.COMPENSATE,
        )
    )
    async with room.running() as lost:
        execution = await room.start(published)
        await server.has("/pay")
        await room.signal(execution, "go", None)
        await room.event(execution, EventKind.STEP_FAILED, "stop")
        await room.lose(execution)
        await lost.executor.drain(0.0)
    async with room.running():
        await server.has("/pay", 2)
        server.let_go("/pay")
        assert (await room.ending(execution)).status == "FAILED"
    assert server.count("/undo") == 1
