"""Complete Multiple Instance Activity: a task is forced to be over: its unfinished instances are withdrawn, and, unlike
behind a cancelled one (pattern 26), the next task begins.
"""

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import Node
from domain.ids import ExecutionId
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn, for_each

PATTERN = Pattern(
    number=27,
    name="Complete Multiple Instance Activity",
    support=Support.SUPPORTED,
    how="A `merge` with `mode: any` after the `loop` (or the node with `each`) and after whatever forces its end. From "
    "outside, `stepSkip` with the path of the loop and the output it shall have.",
)


def ask(server: LocalServer) -> Node:
    return for_each([1, 2, 3], http("ask", f"{server.url}/ask/{{{{ item }}}}"), concurrency=3)


async def one_has_answered(engine: EngineRoom, execution: ExecutionId, server: LocalServer) -> None:
    await engine.event(execution, EventKind.STEP_COMPLETED, "ask[0]")
    await server.has("/ask/2")
    await server.has("/ask/3")


async def test_a_signal_ends_the_instances_and_the_next_task_begins(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/ask/2", "/ask/3")
    execution = await engine.run(
        drawn(
            ask(server),
            step("enough", "wait", signal="enough"),
            step("over", "merge", mode="any"),
            step("next", "end"),
            "start > ask > over",
            "start > enough > over > next",
        )
    )
    await one_has_answered(engine, execution, server)

    await engine.signal(execution, "enough", "one will do")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="one will do")
    await server.lost("/ask/2")
    await server.lost("/ask/3")
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "ask[0]",
        "enough",
        "over",
        "next",
    ]


async def test_without_the_signal_the_next_task_waits_for_every_instance(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/ask/2")
    execution = await engine.run(
        drawn(
            ask(server),
            step("enough", "wait", signal="enough"),
            step("over", "merge", mode="any"),
            step("next", "end", output="{{ input.map(each => each.status) }}"),
            "start > ask > over",
            "start > enough > over > next",
        )
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "ask[0]")
    await engine.event(execution, EventKind.STEP_COMPLETED, "ask[2]")
    server.let_go("/ask/2")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[200, 200, 200])


async def test_somebody_outside_ends_the_instances_with_an_output_of_theirs(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/ask/2", "/ask/3")
    execution = await engine.run(drawn(ask(server), step("next", "end"), "start > ask > next"))
    await one_has_answered(engine, execution, server)

    await engine.post(execution, InboxKind.SKIP, {"path": "ask", "output": "one will do"})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="one will do")
    await server.lost("/ask/2")
    await server.lost("/ask/3")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("WAITING", "ask"),
        ("STEP_COMPLETED", "ask[0]"),
        ("STEP_SKIPPED", "ask"),
        ("STEP_COMPLETED", "next"),
        ("EXECUTION_COMPLETED", None),
    ]
