"""Critical Section: of two or more parts of a process only one is under way at a time; one that has begun comes to its
end before another begins.
"""

from dataclasses import replace

from domain.engine.events import EventKind
from domain.graphs import Definition, Node
from domain.ids import encode
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=39,
    name="Critical Section",
    support=Support.SUPPORTED,
    how="Each section is the body of a `loop` with `times: 1`, or a `subworkflow`; these nodes carry the same `lock`, "
    "its name made of `{{ execution.id }}`. Without that the lock keeps other executions out too.",
)


def two_sections(url: str, lock: str = "till {{ execution.id }}") -> Definition:
    """Each of two branches waits for its signal and then has two tasks at the till."""

    def section(name: str) -> Node:
        first, second = (http(f"{name}{number}", f"{url}/{name}{number}") for number in (1, 2))
        tasks = body(first, second, f"{first.id} > {second.id}")
        return replace(step(name, "loop", type="for", times=1, body=tasks), lock={"name": lock})

    return drawn(
        step("on-a", "wait", signal="a"),
        step("on-b", "wait", signal="b"),
        section("a"),
        section("b"),
        "start > on-a > a",
        "start > on-b > b",
    )


async def test_a_section_begins_when_the_other_has_come_to_its_end(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/b1", "/b2")
    execution = await engine.run(two_sections(server.url))
    await engine.signal(execution, "b")
    await server.has("/b1")
    await engine.signal(execution, "a")
    waiting = await engine.event(execution, EventKind.WAITING, "a")
    assert waiting.payload["lock"] == {"name": f"till {encode('execution', execution)}", "position": 1}

    server.let_go("/b1")
    await server.has("/b2")
    assert [each.path for each in server.asked] == ["/b1", "/b2"]
    server.let_go("/b2")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/b1", "/b2", "/a1", "/a2"]
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "on-b",
        "on-a",
        "b[0].b1",
        "b[0].b2",
        "b",
        "a[0].a1",
        "a[0].a2",
        "a",
    ]


async def test_sections_of_two_executions_do_not_hinder_each_other(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/b1")
    one, other = await engine.start_all(await engine.publish(two_sections(server.url)), [None, None])
    await engine.signal(one, "b")
    await server.has("/b1")

    await engine.signal(other, "a")

    await engine.event(other, EventKind.STEP_COMPLETED, "a")
    assert [each.path for each in server.asked] == ["/b1", "/a1", "/a2"]
    server.let_go("/b1")
    await engine.signal(one, "a")
    await engine.signal(other, "b")
    assert [(await engine.ending(each)).status for each in (one, other)] == ["COMPLETED", "COMPLETED"]
