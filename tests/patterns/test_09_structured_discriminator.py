"""Structured Discriminator: of the branches that a split began, the first to arrive lets what follows run; the others
run to their end and go no further. When all have come, the construct is as new.
"""

from domain.engine.events import EventKind
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import give, http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import body, calls, drawn

PATTERN = Pattern(
    number=9,
    name="Structured Discriminator",
    support=Support.SUPPORTED,
    how="`merge` with `mode: any` and `cancel: false`. Inside a `loop` it is as new in every iteration, "
    "and an iteration is over when all its branches are.",
)

FIRST = step("meet", "merge", mode="any", cancel=False)


async def test_the_first_goes_on_and_the_others_end_without_effect(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/a", "/b", "/c")
    done = step("done", "end", output="{{ steps.b.output.status }}")
    nodes = calls(server.url, "a", "b", "c")
    definition = drawn(*nodes, FIRST, done, "start > a > meet", "start > b > meet", "start > c > meet > done")
    execution = await engine.run(definition)
    for path in ("/a", "/b", "/c"):
        await server.has(path)

    server.let_go("/b")
    await engine.event(execution, EventKind.STEP_COMPLETED, "done")
    server.let_go("/a")
    await engine.event(execution, EventKind.STEP_COMPLETED, "a")
    server.let_go("/c")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=200)
    trail = [path for _, path in await engine.trail(execution) if path]
    assert trail == ["start", "b", "meet", "done", "a", "c"]
    assert server.hung_up == []


async def test_it_is_as_new_once_all_branches_have_come(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/0/a", "/0/b", "/1/a", "/1/b")
    round_ = body(
        step("fork", "parallel"),
        http("a", f"{server.url}/{{{{ index }}}}/a"),
        http("b", f"{server.url}/{{{{ index }}}}/b"),
        FIRST,
        give("after", n="{{ index }}"),
        "fork > a > meet > after",
        "fork > b > meet",
    )
    execution = await engine.run(drawn(step("rounds", "loop", type="for", times=2, body=round_), "start > rounds"))
    server.let_go("/0/a")
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[0].after")
    assert server.count("/1/a") == 0
    server.let_go("/0/b")
    await server.has("/1/a")
    server.let_go("/1/b")
    await engine.event(execution, EventKind.STEP_COMPLETED, "rounds[1].after")
    server.let_go("/1/a")

    assert (await engine.ending(execution)).status == "COMPLETED"
    ran = [path for _, path in await engine.trail(execution) if path and path.endswith(("after", ".a", ".b"))]
    assert ran == ["rounds[0].a", "rounds[0].after", "rounds[0].b", "rounds[1].b", "rounds[1].after", "rounds[1].a"]
