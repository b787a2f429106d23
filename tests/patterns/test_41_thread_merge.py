"""Thread Merge: at one point of a single branch a given number of its threads become one."""

from domain.engine.events import EventKind
from domain.graphs import JoinMode
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, calls, drawn, joining, way

PATTERN = Pattern(
    number=41,
    name="Thread Merge",
    support=Support.SUPPORTED,
    how="Threads of a `loop`, or of a node with `each`, become one at its end. Elsewhere a `set` counts them in a "
    "variable, and an `if` lets every n-th go on.",
)


async def test_every_third_thread_goes_on_for_itself_and_the_two_before_it(
    engine: EngineRoom, server: LocalServer
) -> None:
    execution = await engine.run(
        drawn(
            step("split", "parallel", branches=["1", "2", "3", "4", "5", "6"]),
            joining(JoinMode.EACH, step("work", "wait", signal="done")),
            step("count", "set", values={"threads": "{{ vars.threads + 1 }}"}, keepOnly=True),
            step("third", "if", condition="{{ input.threads % 3 == 0 }}"),
            *calls(server.url, "go"),
            "start > split:1 > work > count > third:true > go",
            *(f"split:{number} > work" for number in range(2, 7)),
            variables={"threads": 0},
        )
    )
    for number in range(1, 7):
        await engine.signal(execution, "done", number)
        await engine.event(execution, EventKind.STEP_COMPLETED, "third" if number == 1 else f"third#{number}")
        if number % 3 == 0:
            await server.has("/go", number // 3)
        assert server.count("/go") == number // 3

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert server.count("/go") == 2


async def test_threads_that_come_at_the_same_time_are_counted_one_by_one(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/work")
    execution = await engine.run(
        drawn(
            step("split", "set", values={"thread": "{{ vars.thread + 1 }}"}, keepOnly=True),
            *calls(server.url, "work", "go"),
            step("count", "set", values={"threads": "{{ vars.threads + 1 }}"}, keepOnly=True),
            step("third", "if", condition="{{ input.threads % 3 == 0 }}"),
            "start > split > work > count > third:true > go",
            way("split > split", when="{{ input.thread < 30 }}", at_most=100),
            variables={"thread": 0, "threads": 0},
        )
    )
    await server.has("/work", 30)

    server.let_go("/work")

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert server.count("/go") == 10


async def test_the_threads_of_a_loop_become_one_at_its_end(engine: EngineRoom) -> None:
    work = body(step("work", "wait", signal="done"))
    threads = step("threads", "loop", type="for", times=3, concurrency=3, body=work)
    execution = await engine.run(drawn(threads, step("next", "end"), "start > threads > next"))
    await engine.event(execution, EventKind.WAITING, "threads[2].work")

    for number in range(1, 4):
        await engine.signal(execution, "done", number)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[1, 2, 3])
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "threads[0].work",
        "threads[1].work",
        "threads[2].work",
        "threads",
        "next",
    ]
