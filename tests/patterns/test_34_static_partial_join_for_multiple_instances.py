"""Static Partial Join for Multiple Instances: the instances' number is known when the first begins; when n of them have
completed the next task begins, once, and the others run to their end.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, way

PATTERN = Pattern(
    number=34,
    name="Static Partial Join for Multiple Instances",
    support=Support.SUPPORTED,
    how="A node on a cycle begins an instance in each pass and does not wait for it; behind the instances a `set` "
    "counts those that are over, and an `if` lets the n-th go on.",
)


async def test_the_second_of_four_instances_goes_on_and_the_others_finish(
    engine: EngineRoom, server: LocalServer
) -> None:
    work = [f"/work/{number}" for number in (1, 2, 3, 4)]
    server.hold(*work)
    execution = await engine.run(
        drawn(
            step("begin", "set", values={"number": "{{ vars.number + 1 }}"}, keepOnly=True),
            http("work", f"{server.url}/work/{{{{ input.number }}}}"),
            step("count", "set", values={"over": "{{ vars.over + 1 }}"}, keepOnly=True),
            step("enough", "if", condition="{{ input.over == trigger.enough }}"),
            *calls(server.url, "go"),
            "start > begin > work > count > enough:true > go",
            way("begin > begin", when="{{ input.number < trigger.instances }}", at_most=1_000),
            variables={"number": 0, "over": 0},
        ),
        {"instances": 4, "enough": 2},
    )
    for path in work:
        await server.has(path)
    server.let_go("/work/3")
    await engine.event(execution, EventKind.STEP_COMPLETED, "enough")
    assert server.count("/go") == 0

    server.let_go("/work/1")
    await server.has("/go")
    server.let_go("/work/2")
    server.let_go("/work/4")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert sorted(each.path for each in server.asked) == ["/go", *work]
    assert server.hung_up == []
    settled = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert [path for path in settled if path and path.startswith("count")] == ["count", "count#2", "count#3", "count#4"]
