"""Several threads of one execution behind a `join: each`: what belongs together comes together; links of passes."""

from domain.engine.events import EventKind
from domain.graphs import Edge
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]


async def test_each_thread_takes_its_own_way_through_a_choice_and_a_join(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            give("low", n=1),
            give("high", n=5),
            step("each", "merge", mode="each"),
            step("choice", "if", condition="{{ input.n > 3 }}"),
            give("big", size="big"),
            give("small", size="small"),
            step("join", "merge"),
            "start > low > each",
            "start > high > each",
            "each > choice:true > big > join",
            "choice:false > small > join",
        )
    )

    assert (await engine.ending(execution)).status == "COMPLETED"
    joined = [event for event in await engine.log(execution) if event.node == "join"]
    assert sorted(str(event.payload["output"]) for event in joined) == ["{'size': 'big'}", "{'size': 'small'}"]
    assert [event.path for event in joined] == ["join", "join#2"]


async def test_what_runs_once_is_waited_for_by_every_thread(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(
        flow(
            give("a", a=1),
            give("b", b=1),
            step("each", "merge", mode="each"),
            http("slow", f"{server.url}/slow"),
            step("join", "merge"),
            "start > a > each > join",
            "start > b > each",
            "start > slow > join",
        )
    )
    await server.has("/slow")
    await engine.event(execution, EventKind.STEP_COMPLETED, "each#2")
    assert "join" not in [path for _, path in await engine.trail(execution)]

    server.let_go("/slow")
    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [path for _, path in await engine.trail(execution) if path and path.startswith("join")] == ["join", "join#2"]


async def test_a_link_that_is_sent_in_every_pass_is_each_time_another(engine: EngineRoom, server: LocalServer) -> None:
    ask = http("ask", f"{server.url}/ask", method="POST", body={"link": "{{ execution.callbacks.answer }}"})
    execution = await engine.run(
        flow(
            ask,
            step("answer", "wait", callback=True),
            step("enough", "if", condition="{{ input.ok }}"),
            give("done", ok=True),
            "start > ask > answer > enough:true > done",
            Edge(source="enough", target="ask", source_handle="false", max_iterations=3),
        )
    )
    await server.has("/ask")
    await engine.event(execution, EventKind.WAITING, "answer")
    await engine.signal(execution, "callback:answer", {"ok": False})
    await server.has("/ask", 2)
    await engine.event(execution, EventKind.WAITING, "answer#2")
    await engine.signal(execution, "callback:answer#2", {"ok": True})

    assert (await engine.ending(execution)).status == "COMPLETED"
    first, second = (asked.body for asked in server.asked)
    assert first != second
