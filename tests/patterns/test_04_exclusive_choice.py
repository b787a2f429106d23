"""Exclusive Choice: a branch diverges into several, exactly one of which is taken, by a decision on the data."""

from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn

PATTERN = Pattern(
    number=4,
    name="Exclusive Choice",
    support=Support.SUPPORTED,
    how="`if` takes one of two ways, `switch` the first case that applies, else `default`.",
)

SIZES = step(
    "size",
    "switch",
    cases=[
        {"name": "large", "when": "{{ input.amount > 1000 }}"},
        {"name": "medium", "when": "{{ input.amount > 100 }}"},
    ],
)
OFFICE = drawn(
    SIZES,
    step("board", "end", output="board"),
    step("lead", "end", output="lead"),
    step("anybody", "end", output="anybody"),
    "start > size:large > board",
    "size:medium > lead",
    "size:default > anybody",
)


async def test_one_way_is_taken_even_where_several_would_apply(engine: EngineRoom) -> None:
    took: list[tuple[Ending, list[str]]] = []
    for amount in (5000, 500, 5):
        execution = await engine.run(OFFICE, {"amount": amount})
        ending = await engine.ending(execution)
        took.append((ending, [path for _, path in await engine.trail(execution) if path]))

    assert took == [
        (Ending(status="COMPLETED", output=who), ["start", "size", who]) for who in ("board", "lead", "anybody")
    ]
