"""Parallel Split: a branch diverges into two or more, all of which run at the same time."""

from domain.graphs import Definition
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import step
from tests.contract.local_server import LocalServer
from tests.patterns.catalogue import Pattern, Support
from tests.patterns.drawing import calls, drawn

PATTERN = Pattern(
    number=2,
    name="Parallel Split",
    support=Support.SUPPORTED,
    how="Several edges from one output, or a `parallel` node, which gives the branches names.",
)


async def both_run_at_once(engine: EngineRoom, server: LocalServer, definition: Definition) -> None:
    """The branches ask /a and /b, and neither is answered before both have asked."""
    server.hold("/a", "/b")
    execution = await engine.run(definition)
    await server.has("/a")
    await server.has("/b")
    server.let_go("/a")
    server.let_go("/b")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"a": 200, "b": 200})
    assert (server.count("/a"), server.count("/b")) == (1, 1)


async def test_all_edges_of_an_output_are_taken_at_once(engine: EngineRoom, server: LocalServer) -> None:
    done = step("done", "end", output={"a": "{{ input.a.status }}", "b": "{{ input.b.status }}"})
    await both_run_at_once(
        engine, server, drawn(*calls(server.url, "a", "b"), done, "start > a > done", "start > b > done")
    )


async def test_all_branches_of_a_parallel_begin_at_once(engine: EngineRoom, server: LocalServer) -> None:
    fork = step("fork", "parallel", branches=["one", "other"])
    done = step("done", "end", output={"a": "{{ input.a.status }}", "b": "{{ input.b.status }}"})
    nodes = calls(server.url, "a", "b")
    await both_run_at_once(
        engine, server, drawn(fork, *nodes, done, "start > fork:one > a > done", "fork:other > b > done")
    )
