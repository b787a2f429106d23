"""Simple Merge: branches, of which never more than one is active, converge into one without synchronization."""

from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn

PATTERN = Pattern(
    number=5,
    name="Simple Merge",
    support=Support.SUPPORTED,
    how="Edges of the alternatives lead to one node: a way that is not taken is dead, and no join waits for it.",
)

SHOP = drawn(
    step("known", "if", condition="{{ input.known }}"),
    give("invoice", by="invoice"),
    give("card", by="card"),
    step("ship", "end", output="{{ input.by }}"),
    "start > known:true > invoice > ship",
    "known:false > card > ship",
)


async def test_whichever_way_was_taken_what_follows_runs_once_with_its_output(engine: EngineRoom) -> None:
    took: list[tuple[Ending, list[str]]] = []
    for known in (True, False):
        execution = await engine.run(SHOP, {"known": known})
        ending = await engine.ending(execution)
        took.append((ending, [path for _, path in await engine.trail(execution) if path]))

    assert took == [
        (Ending(status="COMPLETED", output=by), ["start", "known", by, "ship"]) for by in ("invoice", "card")
    ]
