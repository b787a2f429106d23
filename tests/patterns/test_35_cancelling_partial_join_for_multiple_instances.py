"""Cancelling Partial Join for Multiple Instances: when n instances have completed the next task begins, and the others
are cancelled.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer, answer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=35,
    name="Cancelling Partial Join for Multiple Instances",
    support=Support.SUPPORTED,
    how="A `loop` with `concurrency` and `enough`: so many successful iterations end it.",
)


async def test_the_second_of_four_instances_ends_the_task_and_cancels_the_others(
    engine: EngineRoom, server: LocalServer
) -> None:
    paths = [f"/ask/{item}" for item in "abcd"]
    server.hold(*paths)
    for path in paths:
        server.reply(path, answer(path))
    instance = body(http("ask", f"{server.url}/ask/{{{{ item }}}}"))
    execution = await engine.run(
        drawn(
            step("offers", "loop", items="{{ input }}", concurrency=4, enough=2, body=instance),
            step("next", "end", output="{{ input.map(each => each.body) }}"),
            "start > offers > next",
        ),
        ["a", "b", "c", "d"],
    )
    for path in paths:
        await server.has(path)
    server.let_go("/ask/d")
    await engine.event(execution, EventKind.STEP_COMPLETED, "offers[3].ask")
    assert server.hung_up == []

    server.let_go("/ask/b")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["/ask/b", "/ask/d"])
    await server.lost("/ask/a")
    await server.lost("/ask/c")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("WAITING", "offers"),
        ("STEP_COMPLETED", "offers[3].ask"),
        ("STEP_COMPLETED", "offers[1].ask"),
        ("STEP_COMPLETED", "offers"),
        ("STEP_COMPLETED", "next"),
        ("EXECUTION_COMPLETED", None),
    ]
