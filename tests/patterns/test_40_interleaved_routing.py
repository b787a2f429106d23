"""Interleaved Routing: each of several tasks is done once, in an order that nobody fixed, and never two at the same
time; when all are done the process goes on.
"""

from dataclasses import replace
from itertools import pairwise

from domain.engine.events import EventKind
from domain.graphs import Node
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=40,
    name="Interleaved Routing",
    support=Support.SUPPORTED,
    how="Parallel branches whose nodes carry the same `lock`, its name made of `{{ execution.id }}`, and a `merge`: "
    "the lock lets one of them run at a time, whoever comes first.",
)


async def test_tasks_run_one_at_a_time_in_the_order_in_which_they_could_begin(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/a", "/b", "/c")

    def task(name: str) -> Node:
        return replace(http(name, f"{server.url}/{name}"), lock={"name": "desk {{ execution.id }}"})

    execution = await engine.run(
        drawn(
            *(step(f"on-{name}", "wait", signal=name) for name in "abc"),
            *(task(name) for name in "abc"),
            step("all", "merge"),
            *calls(server.url, "go"),
            "start > on-a > a > all > go",
            "start > on-b > b > all",
            "start > on-c > c > all",
        )
    )
    await engine.signal(execution, "c")
    await server.has("/c")
    for name in "ab":
        await engine.signal(execution, name)
        await engine.event(execution, EventKind.WAITING, name)

    for path, following in pairwise(("/c", "/a", "/b", "/go")):
        assert server.asked[-1].path == path
        server.let_go(path)
        await server.has(following)

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/c", "/a", "/b", "/go"]
    order = ("a", "b", "c", "all", "go")
    completed = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert [path for path in completed if path in order] == ["c", "a", "b", "all", "go"]
