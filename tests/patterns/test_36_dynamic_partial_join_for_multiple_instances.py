"""Dynamic Partial Join for Multiple Instances: instances may be added while others run. A condition is decided whenever
one completes; when it holds the next task begins, once, the others run to their end, and none is added any more.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, way

PATTERN = Pattern(
    number=36,
    name="Dynamic Partial Join for Multiple Instances",
    support=Support.SUPPORTED,
    how="A `wait` on a cycle begins an instance with each signal and does not wait for it. Behind the instances a "
    "`set` keeps account in variables, an `if` decides, and a `cancel` node ends the wait for more.",
)


async def test_the_instance_that_makes_the_condition_hold_goes_on_and_closes_the_door(
    engine: EngineRoom, server: LocalServer
) -> None:
    work = [f"/work/{name}" for name in "abc"]
    server.hold(*work)
    execution = await engine.run(
        drawn(
            step("more", "wait", signal="more"),
            http("work", f"{server.url}/work/{{{{ input }}}}"),
            step("count", "set", values={"over": "{{ vars.over + 1 }}"}, keepOnly=True),
            step("enough", "if", condition="{{ input.over == 2 }}"),
            step("close", "cancel", nodes=["more"]),
            *calls(server.url, "go"),
            "start > more > work > count > enough:true > close > go",
            way("more > more", at_most=1_000),
            variables={"over": 0},
        )
    )
    await engine.signal(execution, "more", "a")
    await engine.signal(execution, "more", "b")
    await server.has("/work/b")
    server.let_go("/work/b")
    await engine.event(execution, EventKind.STEP_COMPLETED, "enough")
    await engine.signal(execution, "more", "c")
    await server.has("/work/c")
    assert server.count("/go") == 0

    server.let_go("/work/a")
    await server.has("/go")
    await engine.signal(execution, "more", "d")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=4)
    server.let_go("/work/c")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert sorted(each.path for each in server.asked) == ["/go", *work]
    assert server.hung_up == []
