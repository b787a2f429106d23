"""Multi-Choice: a branch diverges into several, of which one or more are taken, each by a decision of its own."""

from collections.abc import Collection

from domain.graphs import Definition
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import give, step
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn, way

PATTERN = Pattern(
    number=6,
    name="Multi-Choice",
    support=Support.SUPPORTED,
    how="`switch` with `mode: all` takes every case that applies; edges with a condition do so behind any node.",
)

SERVICES = ("police", "fire", "ambulance")
NODES = [give(service, sent=service) for service in SERVICES]

BY_SWITCH = drawn(
    step(
        "call",
        "switch",
        mode="all",
        cases=[{"name": service, "when": f"{{{{ input.{service} == true }}}}"} for service in SERVICES],
    ),
    *NODES,
    give("nobody", sent="nobody"),
    "start > call:police > police",
    "call:fire > fire",
    "call:ambulance > ambulance",
    "call:default > nobody",
)
BY_EDGES = drawn(
    give("call", at="here"),
    *NODES,
    "start > call",
    *(way(f"call > {service}", when=f"trigger.{service} == true") for service in SERVICES),
)


async def sent(engine: EngineRoom, definition: Definition, services: Collection[str]) -> set[str]:
    """What ran behind `call`."""
    execution = await engine.run(definition, dict.fromkeys(services, True))
    assert (await engine.ending(execution)).status == "COMPLETED"
    return {path for _, path in await engine.trail(execution) if path} - {"start", "call"}


async def test_a_switch_takes_every_case_that_applies(engine: EngineRoom) -> None:
    for chosen in ({"fire"}, {"police", "ambulance"}, set(SERVICES)):
        assert await sent(engine, BY_SWITCH, chosen) == chosen
    assert await sent(engine, BY_SWITCH, ()) == {"nobody"}


async def test_every_edge_whose_condition_holds_is_taken(engine: EngineRoom) -> None:
    for chosen in ({"fire"}, {"police", "ambulance"}, set(SERVICES)):
        assert await sent(engine, BY_EDGES, chosen) == chosen
