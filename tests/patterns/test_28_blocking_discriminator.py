"""Blocking Discriminator: the first of several branches passes the thread on; until all of them have come, and the
construct is reset, a branch that is enabled again is blocked.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=28,
    name="Blocking Discriminator",
    support=Support.SUPPORTED,
    how="The branches and a `merge` with `mode: any`, `cancel: false` are the body of a `loop`: an iteration ends when "
    "every branch has come, and only then does the next begin. What enables a branch meanwhile is a kept signal.",
)


async def test_a_branch_enabled_again_is_blocked_until_every_branch_has_come(
    engine: EngineRoom, server: LocalServer
) -> None:
    discriminator = body(
        step("a", "wait", signal="a"),
        step("b", "wait", signal="b"),
        step("first", "merge", mode="any", cancel=False),
        http("go", f"{server.url}/go/{{{{ input }}}}"),
        "a > first > go",
        "b > first",
    )
    rounds = step("rounds", "loop", type="for", times=2, body=discriminator)
    execution = await engine.run(drawn(rounds, "start > rounds"))

    await engine.signal(execution, "a", "a1")
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[0].go")
    await engine.signal(execution, "a", "a2")
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=2)
    assert [each.path for each in server.asked] == ["/go/a1"]

    await engine.signal(execution, "b", "b1")
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[1].go")
    assert [each.path for each in server.asked] == ["/go/a1", "/go/a2"]

    await engine.signal(execution, "b", "b2")
    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/go/a1", "/go/a2"]
    assert [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"] == [
        "start",
        "rounds[0].a",
        "rounds[0].first",
        "rounds[0].go",
        "rounds[0].b",
        "rounds[1].a",
        "rounds[1].first",
        "rounds[1].go",
        "rounds[1].b",
        "rounds",
    ]
