"""Multiple Instances with a Priori Design-Time Knowledge: a number of instances that the graph fixes run side by side,
and what follows waits for all of them.
"""

from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=13,
    name="Multiple Instances with a Priori Design-Time Knowledge",
    support=Support.SUPPORTED,
    how="`loop` with `type: for`, `times` and `concurrency`; its results come in order.",
)


async def test_as_many_instances_as_drawn_run_at_once_and_all_are_awaited(
    engine: EngineRoom, server: LocalServer
) -> None:
    paths = [f"/review/{number}" for number in range(3)]
    server.hold(*paths)
    review = body(
        http("review", f"{server.url}/review/{{{{ index }}}}"),
        step("verdict", "end", output="{{ index }}"),
        "review > verdict",
    )
    reviews = step("reviews", "loop", type="for", times=3, concurrency=3, body=review)
    execution = await engine.run(drawn(reviews, http("after", f"{server.url}/after"), "start > reviews > after"))
    for path in paths:
        await server.has(path)
    for path in reversed(paths):
        assert server.count("/after") == 0
        server.let_go(path)

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert sorted(each.path for each in server.asked) == ["/after", *paths]
    trail = [path for _, path in await engine.trail(execution) if path]
    assert trail[-2:] == ["reviews", "after"]
    reviewed = [event for event in await engine.log(execution) if event.path == "reviews"][-1]
    assert reviewed.payload["output"] == [0, 1, 2]
