"""Thread Split: at one point of a single branch a given number of threads begins; each goes along that branch."""

from domain.engine.events import EventKind
from domain.graphs import JoinMode
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn, joining, way

PATTERN = Pattern(
    number=42,
    name="Thread Split",
    support=Support.SUPPORTED,
    how="A `parallel` whose branches all lead to one node with `join: each`. A number known only at run time: a node "
    "on a cycle that begins one thread in each pass.",
)


async def test_three_threads_go_along_one_branch_each_at_its_own_pace(engine: EngineRoom, server: LocalServer) -> None:
    execution = await engine.run(
        drawn(
            step("split", "parallel", branches=["1", "2", "3"]),
            joining(JoinMode.EACH, step("work", "wait", signal="done")),
            http("report", f"{server.url}/report/{{{{ input }}}}"),
            "start > split:1 > work > report",
            "split:2 > work",
            "split:3 > work",
        )
    )
    await engine.event(execution, EventKind.WAITING, "work#3")
    assert server.asked == []

    await engine.signal(execution, "done", "a")
    await engine.event(execution, EventKind.STEP_COMPLETED, "report")
    await engine.signal(execution, "done", "b")
    await engine.event(execution, EventKind.STEP_COMPLETED, "report#2")
    await engine.signal(execution, "done", "c")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/report/a", "/report/b", "/report/c"]
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "split",
        "work",
        "report",
        "work#2",
        "report#2",
        "work#3",
        "report#3",
    ]


async def test_as_many_threads_begin_as_the_input_says(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/work")
    execution = await engine.run(
        drawn(
            step("split", "set", values={"thread": "{{ vars.thread + 1 }}"}, keepOnly=True),
            *calls(server.url, "work", "report"),
            "start > split > work > report",
            way("split > split", when="{{ input.thread < trigger }}", at_most=100),
            variables={"thread": 0},
        ),
        5,
    )
    await server.has("/work", 5)
    assert server.count("/report") == 0
    server.let_go("/work")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert (server.count("/work"), server.count("/report")) == (5, 5)
