"""Multiple Instances without a Priori Run-Time Knowledge: while instances run, others may be begun at any time; nobody
knows how many there will be until the last is decided. What follows waits for all of them.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn, way

PATTERN = Pattern(
    number=15,
    name="Multiple Instances without a Priori Run-Time Knowledge",
    support=Support.SUPPORTED,
    how="A `loop` that runs its body once, in which a cycle begins an instance per signal, or for whatever else it "
    "decides by: the body is over when nothing in it is open.",
)


async def test_instances_are_added_while_others_run_and_all_are_awaited(
    engine: EngineRoom, server: LocalServer
) -> None:
    paths = [f"/witness/{name}" for name in ("ann", "bob", "eve")]
    server.hold(*paths)
    hearing = body(
        step("open", "log", message="The hearing is open"),
        step("more", "wait", signals={"witness": "witness", "no-more": "enough"}),
        http("hear", f"{server.url}/witness/{{{{ input }}}}"),
        "open > more:witness > hear",
        way("more:witness > more", at_most=100),
    )
    hearings = step("hearings", "loop", type="for", times=1, body=hearing)
    definition = drawn(hearings, step("verdict", "end", output="guilty"), "start > hearings > verdict")
    execution = await engine.run(definition)

    await engine.signal(execution, "witness", "ann")
    await engine.signal(execution, "witness", "bob")
    await server.has("/witness/ann")
    await server.has("/witness/bob")
    server.let_go("/witness/ann")
    await engine.event(execution, EventKind.STEP_COMPLETED, "hearings[0].hear")
    await engine.signal(execution, "witness", "eve")
    await server.has("/witness/eve")
    await engine.signal(execution, "no-more")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=4)
    server.let_go("/witness/eve")
    await engine.event(execution, EventKind.STEP_COMPLETED, "hearings[0].hear#3")
    server.let_go("/witness/bob")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="guilty")
    completed = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    heard = [path for path in completed if path and ".hear" in path]
    assert heard == ["hearings[0].hear", "hearings[0].hear#3", "hearings[0].hear#2"]
    assert completed[-3:] == ["hearings[0].hear#2", "hearings", "verdict"]
