"""Structured Loop: a part of the process with one entry and one exit is repeated, the test standing before the part (it
may run no time at all) or behind it (it runs at least once).
"""

from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=21,
    name="Structured Loop",
    support=Support.SUPPORTED,
    how="`loop`: `type: while` tests before each iteration, `breakWhen` after it; "
    "`for` and `foreach` count. Loops nest.",
)

COUNT = body(give("count", n="{{ vars.n + 1 }}"), step("result", "end", output="{{ input.n }}"), "count > result")
WHILE = drawn(
    step("loop", "loop", type="while", condition="{{ vars.n < trigger.limit }}", body=COUNT),
    "start > loop",
    variables={"n": 0},
)
REPEAT = drawn(
    step("loop", "loop", type="for", times=100, breakWhen="{{ vars.n >= trigger.limit }}", body=COUNT),
    "start > loop",
    variables={"n": 0},
)


async def test_a_test_before_the_body_may_keep_it_from_running_at_all(engine: EngineRoom) -> None:
    for limit, output in ((0, []), (1, [1]), (3, [1, 2, 3])):
        execution = await engine.run(WHILE, {"limit": limit})
        assert await engine.ending(execution) == Ending(status="COMPLETED", output=output)


async def test_with_a_test_behind_it_the_body_runs_at_least_once(engine: EngineRoom) -> None:
    for limit, output in ((0, [1]), (1, [1]), (3, [1, 2, 3])):
        execution = await engine.run(REPEAT, {"limit": limit})
        assert await engine.ending(execution) == Ending(status="COMPLETED", output=output)


async def test_one_iteration_follows_the_other(engine: EngineRoom) -> None:
    execution = await engine.run(WHILE, {"limit": 2})
    await engine.over(execution)
    completed = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert completed == [
        "start",
        "loop[0].count",
        "loop[0].result",
        "loop[1].count",
        "loop[1].result",
        "loop",
    ]
