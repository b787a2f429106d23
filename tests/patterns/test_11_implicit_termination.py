"""Implicit Termination: a process is over when nothing is left to do, without a node that says so."""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import give, http
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn

PATTERN = Pattern(
    number=11,
    name="Implicit Termination",
    support=Support.SUPPORTED,
    how="An execution completes when no step is open any more; its output is that of the last nodes. "
    "An `end` node is not needed.",
)


async def test_an_execution_is_over_when_its_last_branch_is(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    definition = drawn(
        give("quick", n=1),
        http("slow", f"{server.url}/slow"),
        give("last", n=2),
        "start > quick",
        "start > slow > last",
    )
    execution = await engine.run(definition)
    await engine.event(execution, EventKind.STEP_COMPLETED, "quick")
    await server.has("/slow")
    server.let_go("/slow")

    ending = await engine.ending(execution)
    assert (ending.status, ending.output) == ("COMPLETED", {"quick": {"n": 1}, "last": {"n": 2}})
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "quick"),
        ("STEP_COMPLETED", "slow"),
        ("STEP_COMPLETED", "last"),
        ("EXECUTION_COMPLETED", None),
    ]
