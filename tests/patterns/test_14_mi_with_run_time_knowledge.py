"""Multiple Instances with a Priori Run-Time Knowledge: the number of instances is known when the first one begins, from
the data; they run side by side, and what follows waits for all of them.
"""

from domain.json import JSON
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn, for_each

PATTERN = Pattern(
    number=14,
    name="Multiple Instances with a Priori Run-Time Knowledge",
    support=Support.SUPPORTED,
    how="`each` on any node, or `loop` over `items`: once per element of a list that may come from the data.",
)


async def test_one_instance_per_element_runs_and_all_are_awaited(engine: EngineRoom, server: LocalServer) -> None:
    check = http("check", f"{server.url}/check/{{{{ item }}}}")
    done = step("done", "end", output="{{ input.length }}")
    nodes = (for_each("{{ input.lines }}", check, concurrency=10), done)
    published = await engine.publish(drawn(*nodes, "start > check > done"))
    for lines in (["a"], ["b", "c", "d"], ["e", "f", "g", "h", "i"]):
        paths = [f"/check/{line}" for line in lines]
        server.hold(*paths)
        given: list[JSON] = [*lines]
        execution = await engine.start(published, {"lines": given})
        for path in paths:
            await server.has(path)
        for path in reversed(paths):
            server.let_go(path)

        assert await engine.ending(execution) == Ending(status="COMPLETED", output=len(lines))
        trail = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED" and path]
        assert sorted(trail[1:-2]) == [f"check[{index}]" for index in range(len(lines))]
        assert trail[-2:] == ["check", "done"]
    assert len(server.asked) == 9


async def test_no_element_is_no_instance_and_the_flow_goes_on(engine: EngineRoom, server: LocalServer) -> None:
    check = for_each("{{ input.lines }}", http("check", f"{server.url}/check"))
    done = step("done", "end", output="{{ input }}")
    execution = await engine.run(drawn(check, done, "start > check > done"), {"lines": []})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[])
    assert server.asked == []
