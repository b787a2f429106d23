"""Test mode on real servers: where executions stop, what only seems to act, and that nothing else is different."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import Definition, FailureStrategy, Node, WorkflowSettings
from domain.ids import ExecutionId
from domain.json import JSON
from domain.trials import Breakpoint, Mark, Mode, Pin, Trial, When, breakpoint_signal
from domain.trials_running import marks_of
from tests.contract.engine_room import Ending, EngineRoom, Published
from tests.contract.flows import AT_ONCE, flow, give, http, step
from tests.contract.local_server import LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]

NO_EFFECTS = Trial()


async def tried(
    room: EngineRoom, definition: Definition | Published, trial: Trial = NO_EFFECTS, value: JSON = None
) -> ExecutionId:
    published = definition if isinstance(definition, Published) else await room.publish(definition)
    (execution,) = await room.insert(published, [room.prepared(published, value, trial=trial)])
    return execution


async def stopped(room: EngineRoom, execution: ExecutionId, path: str) -> None:
    """Return once the execution has stopped before this step."""
    event = await room.event(execution, EventKind.WAITING, path)
    assert event.payload == {"signal": breakpoint_signal(path)}


async def go_on(room: EngineRoom, execution: ExecutionId, path: str, mode: Mode = Mode.CONTINUE) -> None:
    name = breakpoint_signal(path)
    payload: dict[str, JSON] = {"name": name, "payload": {"mode": mode.value}, "transient": True}
    await room.post(execution, InboxKind.SIGNAL, payload)


async def marks(room: EngineRoom, execution: ExecutionId) -> Mapping[str, Mark]:
    return dict(marks_of(await room.log(execution)))


def before(*nodes: str) -> tuple[Breakpoint, ...]:
    return tuple(Breakpoint(node=node) for node in nodes)


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


async def test_a_pinned_node_never_runs_and_takes_the_output_it_is_pinned_to(
    engine: EngineRoom, server: LocalServer
) -> None:
    definition = flow(
        http("ask", f"{server.url}/ask"),
        step("check", "if", condition="{{ input.ok }}"),
        step("yes", "end", output=["yes", "{{ steps.ask.output }}"]),
        step("no", "end", output="no"),
        "start > ask > check:true > yes",
        "check:false > no",
    )
    pins = {"ask": Pin(output={"ok": False}), "check": Pin(output=None, handle="true")}
    execution = await tried(engine, definition, Trial(pins=pins))

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["yes", {"ok": False}])
    asked = await engine.event(execution, EventKind.STEP_COMPLETED, "ask")
    assert {**asked.payload, "ms": 0} == {"output": {"ok": False}, "handles": ["out"], "ms": 0, "pinned": True}
    assert await marks(engine, execution) == {"ask": Mark.PINNED, "check": Mark.PINNED}
    assert server.asked == []


async def test_a_node_that_acts_outside_only_seems_to_and_shows_what_it_would_have_done(
    engine: EngineRoom, server: LocalServer
) -> None:
    url = f"{server.url}/pay"
    headers: JSON = {"authorization": "Bearer 0123456789", "x-shop": "{{ input.shop }}"}
    execution = await tried(
        engine, flow(http("pay", url, method="POST", headers=headers), "start > pay"), value={"shop": "s1"}
    )

    shown: JSON = {"url": url, "method": "POST", "headers": {"authorization": "•••••", "x-shop": "s1"}}
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=shown)
    assert await marks(engine, execution) == {"pay": Mark.SIMULATED}
    assert server.asked == []


async def test_a_config_that_cannot_be_rendered_fails_where_nothing_is_sent_too(engine: EngineRoom) -> None:
    execution = await tried(engine, flow(http("pay", "{{ missing.url }}"), "start > pay"))

    ending = await engine.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", "EXPRESSION_FAILED")


async def test_a_node_that_is_allowed_to_acts_and_is_marked(engine: EngineRoom, server: LocalServer) -> None:
    definition = flow(http("one", f"{server.url}/one"), http("two", f"{server.url}/two"), "start > one > two")
    execution = await tried(engine, definition, Trial(effects=frozenset({"two"})))

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/two"]
    assert await marks(engine, execution) == {"one": Mark.SIMULATED, "two": Mark.EFFECTS}


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


async def test_a_program_may_compute_and_fetch_nothing_unless_its_node_may_act(
    engine: EngineRoom, server: LocalServer
) -> None:
    host = server.url.removeprefix("http://")
    source = f"return (await fetch('{server.url}/data')).status"
    program = step("code", "code", source=source, allowedDomains=[host])
    definition = flow(program, "start > code")

    refused = await engine.ending(await tried(engine, definition))
    allowed = await engine.ending(await tried(engine, definition, Trial(effects=frozenset({"code"}))))

    assert refused.code == "CODE_FAILED"
    assert "EFFECTS_OFF" in (refused.message or "")
    assert allowed == Ending(status="COMPLETED", output=200)
    assert [each.path for each in server.asked] == ["/data"]


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


async def test_the_elements_of_an_each_only_seem_to_act(engine: EngineRoom, server: LocalServer) -> None:
    send = replace(http("send", f"{server.url}/{{{{ item }}}}"), each=["a", "b"])
    execution = await tried(engine, flow(send, "start > send"))

    shown: JSON = [{"url": f"{server.url}/a"}, {"url": f"{server.url}/b"}]
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=shown)
    assert await marks(engine, execution) == {"send[0]": Mark.SIMULATED, "send[1]": Mark.SIMULATED}
    assert server.asked == []


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


async def calling(room: EngineRoom, server: LocalServer) -> tuple[Published, Published]:
    """A workflow whose node `call` begins another one that sends something."""
    child = await room.publish(flow(http("send", f"{server.url}/send"), "start > send"), name="Sends")
    parent = await room.publish(flow(step("call", "subworkflow", workflow="Sends"), "start > call"), child.tenant_id)
    return child, parent


async def child_of(room: EngineRoom, execution: ExecutionId) -> ExecutionId:
    await room.event(execution, EventKind.CHILD_STARTED)
    return ExecutionId(await room.pool.fetchval("SELECT id FROM execution WHERE parent_id = $1", execution))


async def test_what_a_test_calls_is_a_test_without_effects(engine: EngineRoom, server: LocalServer) -> None:
    _, parent = await calling(engine, server)
    execution = await tried(engine, parent)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"url": f"{server.url}/send"})
    child = await child_of(engine, execution)
    assert await engine.pool.fetchval("SELECT test FROM execution WHERE id = $1", child)
    assert await marks(engine, child) == {"send": Mark.SIMULATED}
    assert server.asked == []


async def test_the_nodes_of_what_is_called_are_named_behind_the_node_that_calls(
    engine: EngineRoom, server: LocalServer
) -> None:
    _, parent = await calling(engine, server)
    pinned = Trial(pins={"call/send": Pin(output="pinned")})
    acting = Trial(effects=frozenset({"call/send"}), breakpoints=before("call/send"))

    assert await engine.ending(await tried(engine, parent, pinned)) == Ending(status="COMPLETED", output="pinned")
    assert server.asked == []
    execution = await tried(engine, parent, acting)
    child = await child_of(engine, execution)
    engine.knows(child, parent.tenant_id)
    await stopped(engine, child, "send")
    await go_on(engine, child, "send")
    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/send"]


async def test_a_child_begins_once_after_a_breakpoint_whoever_has_its_parent(
    room: EngineRoom, server: LocalServer
) -> None:
    _, parent = await calling(room, server)
    async with room.running():
        execution = await tried(room, parent, Trial(breakpoints=before("call", "call/send")))
        await stopped(room, execution, "call")
        await go_on(room, execution, "call")
        child = await child_of(room, execution)
        room.knows(child, parent.tenant_id)
        await stopped(room, child, "send")
        await room.let_go(execution)
    async with room.running():
        await go_on(room, child, "send")
        assert (await room.ending(execution)).status == "COMPLETED"
    assert await room.pool.fetchval("SELECT count(*) FROM execution WHERE parent_id = $1", execution) == 1


async def test_undoing_acts_where_the_node_has_acted_and_only_there(engine: EngineRoom, server: LocalServer) -> None:
    def undone(name: str) -> Node:
        undo: JSON = {"kind": "http", "config": {"url": f"{server.url}/undo/{name}"}}
        return replace(http(name, f"{server.url}/{name}"), compensation=undo)

    definition = flow(
        undone("real"), undone("played"), undone("pinned"), step("stop", "fail", message="no"),
        "start > real > played > pinned > stop", strategy=FailureStrategy.COMPENSATE,
    )  # fmt: skip
    trial = Trial(effects=frozenset({"real", "pinned"}), pins={"pinned": Pin(output=1)})
    execution = await tried(engine, definition, trial)

    assert (await engine.ending(execution)).status == "FAILED"
    assert [each.path for each in server.asked] == ["/real", "/undo/real"]
    assert await marks(engine, execution) == {
        "real": Mark.EFFECTS,
        "played": Mark.SIMULATED,
        "pinned": Mark.PINNED,
        "pinned:undo": Mark.SIMULATED,
        "played:undo": Mark.SIMULATED,
        "real:undo": Mark.EFFECTS,
    }


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


async def test_the_failure_handler_of_a_test_is_a_test_too(engine: EngineRoom, server: LocalServer) -> None:
    handler = await engine.publish(flow(http("tell", f"{server.url}/tell"), "start > tell"), name="Tells")
    failing = flow(step("stop", "fail", message="no"), "start > stop")
    failing = replace(failing, settings=WorkflowSettings(failure_handler="Tells"))
    execution = await tried(engine, await engine.publish(failing, handler.tenant_id))

    assert (await engine.ending(execution)).status == "FAILED"
    begun = ExecutionId(await engine.pool.fetchval("SELECT id FROM execution WHERE parent_id = $1", execution))
    assert (await engine.ending(begun)).status == "COMPLETED"
    assert await marks(engine, begun) == {"tell": Mark.SIMULATED}
    assert server.asked == []


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
