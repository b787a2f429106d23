"""Blocking Partial Join: the n-th of m branches passes the thread on; until all m have come, and the construct is
reset, a branch that is enabled again is blocked.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, drawn

PATTERN = Pattern(
    number=31,
    name="Blocking Partial Join",
    support=Support.SUPPORTED,
    how="The branches and a `merge` with `mode: n`, `cancel: false` are the body of a `loop`: an iteration ends when "
    "every branch has come, and only then does the next begin. What enables a branch meanwhile is a kept signal.",
)


async def test_branches_enabled_again_are_blocked_until_every_branch_has_come(
    engine: EngineRoom, server: LocalServer
) -> None:
    join = body(
        step("a", "wait", signal="a"),
        step("b", "wait", signal="b"),
        step("c", "wait", signal="c"),
        step("two", "merge", mode="n", n=2, cancel=False),
        http("go", f"{server.url}/go/{{{{ input.a }}}}/{{{{ input.b }}}}"),
        "a > two > go",
        "b > two",
        "c > two",
    )
    rounds = step("rounds", "loop", type="for", times=2, body=join)
    execution = await engine.run(drawn(rounds, "start > rounds"))

    await engine.signal(execution, "a", 1)
    await engine.signal(execution, "b", 1)
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[0].go")
    await engine.signal(execution, "a", 2)
    await engine.signal(execution, "b", 2)
    await engine.event(execution, EventKind.SIGNAL_RECEIVED, count=4)
    assert [each.path for each in server.asked] == ["/go/1/1"]

    await engine.signal(execution, "c", 1)
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[1].go")
    await engine.signal(execution, "c", 2)

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == ["/go/1/1", "/go/2/2"]
    settled = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert settled.index("rounds[0].go") < settled.index("rounds[0].c") < settled.index("rounds[1].a")
