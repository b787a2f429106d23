"""What acts outside in a test, on real servers: nothing but what is allowed to, wherever it stands."""

from dataclasses import replace

from domain.engine.events import EventKind
from domain.graphs import FailureStrategy, Node, WorkflowSettings
from domain.ids import ExecutionId
from domain.json import JSON
from domain.trials import Mark, Pin, Trial
from tests.contract.engine_room import Ending, EngineRoom, Published
from tests.contract.flows import flow, http, step
from tests.contract.local_server import LocalServer
from tests.contract.trying import before, go_on, marks, stopped, tried

pytest_plugins = ["tests.contract.engine_fixture"]


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


async def test_the_elements_of_an_each_only_seem_to_act(engine: EngineRoom, server: LocalServer) -> None:
    send = replace(http("send", f"{server.url}/{{{{ item }}}}"), each=["a", "b"])
    execution = await tried(engine, flow(send, "start > send"))

    shown: JSON = [{"url": f"{server.url}/a"}, {"url": f"{server.url}/b"}]
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=shown)
    assert await marks(engine, execution) == {"send[0]": Mark.SIMULATED, "send[1]": Mark.SIMULATED}
    assert server.asked == []


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
