"""Large graphs on the real executor: a thousand nodes, and fifty and five hundred branches at the same time."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from domain.engine.events import EventKind
from domain.errors import Severity
from domain.graphs import Definition, Edge, Graph, Node
from domain.ids import ExecutionId
from domain.json import JSONObject
from domain.validation import validate
from jobs.nodes.catalog import CATALOG
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]

PATIENCE = 50.0


async def ending(engine: EngineRoom, execution: ExecutionId) -> Ending:
    """How it ended; a machine that does much else besides takes its time for so many steps."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await engine.ending(execution)
            except TimeoutError:
                continue


def sound(definition: Definition) -> Definition:
    """The definition, in which validation finds nothing to mend."""
    assert [each for each in validate(definition, CATALOG) if each.severity is not Severity.INFO] == []
    return definition


def in_line(count: int) -> Definition:
    """So many nodes after one another, each adding one to what came before."""
    first = give("n1", n="{{ trigger + 1 }}")
    others = [give(f"n{at}", n=f"{{{{ steps.n{at - 1}.output.n + 1 }}}}") for at in range(2, count)]
    return flow(first, *others, " > ".join(["start", *(f"n{at}" for at in range(1, count))]))


def braided(count: int) -> Definition:
    """So many nodes in layers of ten, each fed by two of the layer before, all of them joins."""
    nodes = [give(f"n{at}", n="{{ 1 }}") for at in range(count - 2)]
    ways: list[Edge] = []
    for at in range(count - 2):
        layer, place = divmod(at, 10)
        sources = {f"n{(layer - 1) * 10 + place}", f"n{(layer - 1) * 10 + (place + 1) % 10}"} if layer else {"start"}
        ways += [Edge(source=source, target=f"n{at}") for source in sorted(sources)]
    last = [f"n{at}" for at in range((count - 3) // 10 * 10, count - 2)]
    ways += [Edge(source=name, target="end") for name in last]
    nodes.append(step("end", "end", output="{{ input }}"))
    return Definition(graph=Graph(nodes=(Node(id="start", kind="trigger"), *nodes), edges=tuple(ways)))


def branched(branches: Sequence[Node], *more: Node | str) -> Definition:
    """These nodes side by side, from the parallel node `fork` to the merge `all`."""
    names = [node.id for node in branches]
    fork = step("fork", "parallel", branches=names)
    ways = [Edge(source="fork", target=name, source_handle=name) for name in names]
    ways += [Edge(source=name, target="all") for name in names]
    return flow(fork, *branches, step("all", "merge"), *ways, "start > fork", *more)


async def completed(engine: EngineRoom, execution: ExecutionId) -> list[str | None]:
    """The paths of the steps that were completed, in the log's order."""
    return [path for kind, path in await engine.trail(execution) if kind == EventKind.STEP_COMPLETED.value]


async def test_a_thousand_nodes_in_a_line_run_one_after_the_other(engine: EngineRoom) -> None:
    execution = await engine.run(sound(in_line(1_000)), 0)

    assert await ending(engine, execution) == Ending(status="COMPLETED", output={"n": 999})
    assert await completed(engine, execution) == ["start", *(f"n{at}" for at in range(1, 1_000))]


async def test_a_thousand_nodes_that_part_and_meet_run_once_each(engine: EngineRoom) -> None:
    execution = await engine.run(sound(braided(1_000)))

    found = await ending(engine, execution)
    paths = await completed(engine, execution)
    assert found.status == "COMPLETED"
    assert isinstance(found.output, dict)
    assert len(found.output) == 8, "the last layer has eight nodes"
    assert sorted(map(str, paths)) == sorted(["start", "end", *(f"n{at}" for at in range(998))])


async def test_a_graph_of_a_thousand_nodes_in_bodies_runs(engine: EngineRoom) -> None:
    """Ten loops of 98 nodes each, every loop three times."""

    def body(number: int) -> JSONObject:
        names = [f"b{number}_{at}" for at in range(98)]
        config: JSONObject = {"values": {"n": "{{ item }}"}, "keepOnly": True}
        nodes: list[JSONObject] = [{"id": name, "kind": "set", "config": config} for name in names]
        return {"nodes": nodes, "edges": [{"source": a, "target": b} for a, b in pairwise(names)]}

    loops = [step(f"l{number}", "loop", items=[1, 2, 3], body=body(number)) for number in range(10)]
    definition = flow(*loops, " > ".join(["start", *(loop.id for loop in loops)]))
    execution = await engine.run(sound(definition))

    assert await ending(engine, execution) == Ending(status="COMPLETED", output=[{"n": 1}, {"n": 2}, {"n": 3}])
    assert len(await completed(engine, execution)) == 1 + 10 * (3 * 98 + 1)


@pytest.mark.parametrize("count", [50, 500])
async def test_so_many_branches_run_at_the_same_time_and_meet(
    room: EngineRoom, server: LocalServer, count: int
) -> None:
    server.hold("/gate")
    calls = [http(f"b{at}", f"{server.url}/gate") for at in range(count)]
    last = step("last", "transform", operation="expression", expression="Object.keys(input).length")
    async with room.running(worker_steps=count):
        execution = await room.run(branched(calls, last, "all > last"))
        await server.has("/gate", count)  # nobody is answered before all have asked
        server.let_go("/gate")
        found = await ending(room, execution)

    assert found == Ending(status="COMPLETED", output=count)


async def test_more_branches_than_a_worker_runs_at_once_wait_for_one_another(
    room: EngineRoom, server: LocalServer
) -> None:
    calls = [http(f"b{at}", f"{server.url}/b{at}") for at in range(500)]
    async with room.running(worker_steps=20):
        execution = await room.run(branched(calls))
        found = await ending(room, execution)

    assert found.status == "COMPLETED"
    assert sorted(each.path for each in server.asked) == sorted(f"/b{at}" for at in range(500))


async def test_five_hundred_rounds_of_a_loop_run_at_the_same_time(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    call: JSONObject = {"id": "call", "kind": "http", "config": {"url": f"{server.url}/gate"}}
    loop = step("loop", "loop", type="for", times=500, concurrency=500, results="last", body={"nodes": [call]})
    async with room.running(worker_steps=500):
        execution = await room.run(flow(loop, "start > loop"))
        await server.has("/gate", 500)
        server.let_go("/gate")
        found = await ending(room, execution)

    assert found.status == "COMPLETED"
