"""Cancel Case: a whole process instance is removed: what runs, what waits, what would have followed, and whatever it
had begun elsewhere. It is recorded as not having succeeded.
"""

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.ids import ExecutionId
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=20,
    name="Cancel Case",
    support=Support.SUPPORTED,
    how="`executionCancel` from outside, a `fail` node or `end` with `terminate: true` from inside; "
    "sub-workflows that are waited for are cancelled too.",
)


async def test_all_of_an_execution_and_of_its_children_is_cancelled(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow", "/inner")
    child = await engine.publish(flow(http("inner", f"{server.url}/inner"), "start > inner"), name="Inner")
    definition = drawn(
        *calls(server.url, "slow", "behind"),
        step("hold", "wait", signal="go"),
        step("call", "subworkflow", workflow="Inner"),
        "start > slow > behind",
        "start > hold > behind",
        "start > call > behind",
    )
    execution = await engine.start(await engine.publish(definition, child.tenant_id))
    await server.has("/slow")
    await server.has("/inner")
    await engine.event(execution, EventKind.WAITING, "hold")
    await engine.post(execution, InboxKind.CANCEL, {"reason": "customer died"})

    assert await engine.ending(execution) == Ending(status="CANCELLED")
    begun = await engine.pool.fetchval("SELECT id FROM execution WHERE parent_id = $1", execution)
    assert await engine.ending(ExecutionId(begun)) == Ending(status="CANCELLED")
    await server.lost("/slow")
    await server.lost("/inner")
    assert server.count("/behind") == 0


async def test_a_branch_of_the_process_can_end_all_of_it(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    definition = drawn(
        *calls(server.url, "slow", "behind"),
        step("fraud", "wait", signal="fraud"),
        step("stop", "fail", message="The customer is not who they say"),
        "start > slow > behind",
        "start > fraud > stop",
    )
    execution = await engine.run(definition)
    await server.has("/slow")
    await engine.signal(execution, "fraud")

    assert await engine.ending(execution) == Ending(
        status="FAILED", code="FAILED_BY_WORKFLOW", message="The customer is not who they say"
    )
    await server.lost("/slow")
    assert server.count("/behind") == 0
