"""Multiple Instances without Synchronization: several instances of a task run side by side, and nothing waits for them
to end: what follows their creation goes on at once.
"""

from domain.engine.events import EventKind
from domain.ids import ExecutionId
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn, for_each, way

PATTERN = Pattern(
    number=12,
    name="Multiple Instances without Synchronization",
    support=Support.SUPPORTED,
    how="An edge out of a cycle begins its target anew in every round, beside those that still run; "
    "or `subworkflow` with `wait: false`, under `each`, makes every instance an execution of its own.",
)


async def test_a_cycle_begins_instances_in_one_execution_and_goes_on(engine: EngineRoom, server: LocalServer) -> None:
    paths = [f"/work/{number}" for number in (1, 2, 3)]
    server.hold(*paths)
    definition = drawn(
        give("spawn", n="{{ vars.n + 1 }}"),
        http("work", f"{server.url}/work/{{{{ input.n }}}}"),
        give("after", n="{{ vars.n }}"),
        "start > spawn > work",
        way("spawn > spawn", when="input.n < 3", at_most=10),
        way("spawn > after", when="input.n == 3"),
        variables={"n": 0},
    )
    execution = await engine.run(definition)
    for path in paths:
        await server.has(path)
    await engine.event(execution, EventKind.STEP_COMPLETED, "after")
    assert len(server.asked) == 3

    for path in reversed(paths):
        server.let_go(path)

    assert (await engine.ending(execution)).status == "COMPLETED"
    trail = [path for _, path in await engine.trail(execution) if path]
    assert trail[:5] == ["start", "spawn", "spawn#2", "spawn#3", "after"]
    assert sorted(trail[5:]) == ["work", "work#2", "work#3"]


async def test_instances_of_their_own_run_on_when_the_one_that_began_them_is_over(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/x", "/y")
    work = flow(http("work", f"{server.url}/{{{{ input }}}}"), "start > work")
    child = await engine.publish(work, name="Work")
    call = for_each("{{ input }}", step("call", "subworkflow", workflow="Work", input="{{ item }}", wait=False))
    parent = await engine.publish(drawn(call, "start > call"), child.tenant_id)
    execution = await engine.start(parent, ["x", "y"])

    assert (await engine.ending(execution)).status == "COMPLETED"
    await server.has("/x")
    await server.has("/y")
    server.let_go("/x")
    server.let_go("/y")
    rows = await engine.pool.fetch("SELECT id FROM execution WHERE parent_id = $1", execution)
    begun = [ExecutionId(row["id"]) for row in rows]
    assert [(await engine.ending(each)).status for each in begun] == ["COMPLETED", "COMPLETED"]
