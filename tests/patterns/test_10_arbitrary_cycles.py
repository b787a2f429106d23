"""Arbitrary Cycles: cycles with more than one way in or out, or that overlap, which no structured loop can say."""

from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn, way

PATTERN = Pattern(
    number=10,
    name="Arbitrary Cycles",
    support=Support.SUPPORTED,
    how="Edges may lead back to any node; one edge of every cycle has `maxIterations`. "
    "What is entered again runs as a new generation (`price#2`).",
)

TWO_WAYS_IN_AND_OUT = drawn(
    step("gate", "if", condition="{{ input.left }}"),
    give("left", n="{{ vars.n + 1 }}"),
    give("right", n="{{ vars.n + 1 }}"),
    step("by_left", "end", output="by left"),
    step("by_right", "end", output="by right"),
    "start > gate:true > left",
    "gate:false > right",
    way("left > right", when="input.n < trigger.rounds"),
    way("right > left", when="input.n < trigger.rounds", at_most=10),
    way("left > by_left", when="input.n >= trigger.rounds"),
    way("right > by_right", when="input.n >= trigger.rounds"),
    variables={"n": 0},
)

OVERLAPPING = drawn(
    give("a", a="{{ vars.a + 1 }}"),
    give("b", b="{{ vars.b + 1 }}"),
    give("c", c="{{ vars.c + 1 }}"),
    give("d", d="{{ vars.d + 1 }}"),
    step("done", "end", output="{{ vars }}"),
    "start > a > b > c",
    way("c > a", when="input.c == 1", at_most=5),
    way("c > d", when="input.c != 1"),
    way("d > b", when="input.d == 1", at_most=5),
    way("d > done", when="input.d != 1"),
    variables={"a": 0, "b": 0, "c": 0, "d": 0},
)


async def test_a_cycle_is_entered_and_left_at_either_of_two_places(engine: EngineRoom) -> None:
    took: list[tuple[Ending, list[str]]] = []
    for left, rounds in ((True, 3), (True, 4), (False, 3), (False, 4)):
        execution = await engine.run(TWO_WAYS_IN_AND_OUT, {"left": left, "rounds": rounds})
        ending = await engine.ending(execution)
        took.append((ending, [(path or "").partition("#")[0] for _, path in await engine.trail(execution)][2:-2]))

    assert took == [
        (Ending(status="COMPLETED", output="by left"), ["left", "right", "left"]),
        (Ending(status="COMPLETED", output="by right"), ["left", "right", "left", "right"]),
        (Ending(status="COMPLETED", output="by right"), ["right", "left", "right"]),
        (Ending(status="COMPLETED", output="by left"), ["right", "left", "right", "left"]),
    ]


async def test_two_cycles_overlap_without_one_lying_in_the_other(engine: EngineRoom) -> None:
    execution = await engine.run(OVERLAPPING)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"a": 2, "b": 3, "c": 3, "d": 2})
    trail = [(path or "").partition("#")[0] for _, path in await engine.trail(execution)]
    assert trail[1:-1] == ["a", "b", "c", "a", "b", "c", "d", "b", "c", "d", "done"]
