"""Interleaved Parallel Routing: tasks with a partial order between them are done once each, in any sequence that keeps
to that order, and never two of them at the same time.
"""

from dataclasses import replace

import pytest

from domain.engine.events import EventKind
from domain.graphs import Definition, Node
from tests.contract.engine_room import EngineRoom
from tests.contract.flows import http, step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import drawn

PATTERN = Pattern(
    number=17,
    name="Interleaved Parallel Routing",
    support=Support.SUPPORTED,
    how="Parallel branches whose nodes carry the same `lock`, its name made of `{{ execution.id }}`: edges say the "
    "order there must be, the lock lets one of them run at a time, whoever comes first.",
)


def examined(url: str) -> Definition:
    """Blood is taken before it is tested, the x-ray is taken at any time; there is one nurse."""

    def nursed(name: str) -> Node:
        lock = {"name": "nurse {{ execution.id }}"}
        return replace(http(name, f"{url}/{{{{ trigger }}}}/{name}"), lock=lock)

    return drawn(
        step("patient", "wait", signal="blood"),
        step("room", "wait", signal="x-ray"),
        *(nursed(name) for name in ("take", "test", "x-ray")),
        "start > patient > take > test",
        "start > room > x-ray",
    )


@pytest.mark.parametrize(
    ("order", "signals"),
    [(("take", "x-ray", "test"), ("blood", "x-ray")), (("x-ray", "take", "test"), ("x-ray", "blood"))],
)
async def test_tasks_are_done_one_at_a_time_in_the_order_in_which_they_come(
    engine: EngineRoom, server: LocalServer, order: tuple[str, ...], signals: tuple[str, ...]
) -> None:
    paths = [f"/{order[0]}/{name}" for name in order]
    server.hold(*paths)
    execution = await engine.run(examined(server.url), order[0])
    await engine.event(execution, EventKind.WAITING, "patient")
    await engine.event(execution, EventKind.WAITING, "room")
    await engine.signal(execution, signals[0])
    await server.has(paths[0])
    await engine.signal(execution, signals[1])
    await engine.event(execution, EventKind.WAITING, order[1])
    for number, path in enumerate(paths):
        await server.has(path)
        assert [each.path for each in server.asked] == paths[: number + 1]
        server.let_go(path)

    assert (await engine.ending(execution)).status == "COMPLETED"
    assert [each.path for each in server.asked] == paths
    completed = [path for kind, path in await engine.trail(execution) if kind == "STEP_COMPLETED"]
    assert [path for path in completed if path in order] == list(order)
