"""What people do to a running execution: skip its steps, set its variables."""

import pytest

from domain.engine.events import EventKind
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.graphs import Edge
from domain.json import JSON
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]


async def test_a_running_step_that_is_skipped_stops_and_its_output_is_the_one_given(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/slow")
    execution = await engine.run(flow(http("slow", f"{server.url}/slow"), step("done", "end"), "start > slow > done"))
    await server.has("/slow")

    await engine.post(execution, InboxKind.SKIP, {"path": "slow", "output": {"by": "hand"}})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"by": "hand"})
    await server.lost("/slow")
    skipped = await engine.event(execution, EventKind.STEP_SKIPPED, "slow")
    assert skipped.payload == {"output": {"by": "hand"}, "handles": ["out"], "edges": {}}
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_SKIPPED", "slow"),
        ("STEP_COMPLETED", "done"),
        ("EXECUTION_COMPLETED", None),
    ]


@pytest.mark.parametrize(("output", "result"), [({"ok": True}, "yes"), ({"ok": False}, "no")])
async def test_the_conditions_behind_a_skipped_step_see_the_output_given(
    engine: EngineRoom, output: JSON, result: str
) -> None:
    execution = await engine.run(
        flow(
            step("hold", "wait", signal="go"),
            step("yes", "end", output="yes"),
            step("no", "end", output="no"),
            "start > hold",
            Edge(source="hold", target="yes", condition="{{ input.ok }}"),
            Edge(source="hold", target="no", condition="{{ !input.ok }}"),
        )
    )
    await engine.let_go(execution)

    await engine.post(execution, InboxKind.SKIP, {"path": "hold", "output": output})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=result)


async def test_a_skipped_fork_goes_all_its_ways(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    execution = await engine.run(
        flow(
            http("gate", f"{server.url}/gate"),
            step("fork", "parallel", branches=["left", "right"]),
            give("one", n=1),
            give("two", n=2),
            step("both", "merge"),
            "start > gate > fork",
            "fork:left > one > both",
            "fork:right > two > both",
        )
    )
    await server.has("/gate")
    await engine.post(execution, InboxKind.PAUSE)
    await engine.event(execution, EventKind.PAUSED)
    server.let_go("/gate")
    await engine.let_go(execution, ExecutionStatus.PAUSED)

    await engine.post(execution, InboxKind.SKIP, {"path": "fork", "output": None})
    await engine.post(execution, InboxKind.RESUME)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"one": {"n": 1}, "two": {"n": 2}})


async def test_skipping_what_is_over_changes_nothing(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(give("one", n=1), step("hold", "wait", signal="go"), step("done", "end"), "start > one > hold > done")
    )
    await engine.let_go(execution)

    for path in ("one", "nowhere"):
        await engine.post(execution, InboxKind.SKIP, {"path": path, "output": 7})
        await engine.event(execution, EventKind.STEP_SKIPPED, path)
    await engine.signal(execution, "go", "{{ no expression }}")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="{{ no expression }}")


async def test_a_variable_set_from_outside_is_seen_by_every_later_step(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            step("hold", "wait", signal="go"),
            step("done", "end", output="{{ vars.limit + 1 }}"),
            "start > hold > done",
            variables={"limit": 1},
        )
    )
    await engine.let_go(execution)

    await engine.post(execution, InboxKind.VARIABLE, {"name": "limit", "value": 41})
    await engine.signal(execution, "go")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=42)
    assert ("VARIABLE_SET", None) in await engine.trail(execution)
