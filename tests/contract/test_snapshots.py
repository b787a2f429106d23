"""Long logs: what a new owner reads instead of them, and that it makes no difference."""

import orjson

from domain.engine.decide import fold
from domain.engine.events import EventKind
from domain.engine.plan import compile_plan
from domain.engine.snapshots import from_json
from domain.graphs import Definition, Edge
from domain.ids import ExecutionId
from domain.json import JSON
from jobs.nodes.catalog import CATALOG
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.ledger import row_of, until
from tests.contract.local_server import LocalServer

pytest_plugins = ["tests.contract.engine_fixture"]


def counting(url: str, *, pause_at: int, rounds: int) -> Definition:
    """Counts to `rounds`, calling the server once on its way; two events a round."""
    return flow(
        give("add", n="{{ vars.n + 1 }}"),
        step(
            "where",
            "switch",
            expression="{{ vars.n }}",
            cases=[{"name": "call", "equals": pause_at}, {"name": "out", "equals": rounds}],
        ),
        http("gate", url),
        step("done", "end", output="{{ [vars.n, input.n] }}"),
        "start > add > where",
        "where:out > done",
        "where:call > gate",
        Edge(source="where", target="add", source_handle="default", max_iterations=rounds),
        Edge(source="gate", target="add", max_iterations=rounds),
        variables={"n": 0},
    )


async def stored(room: EngineRoom, execution: ExecutionId) -> tuple[int, JSON] | None:
    row = await room.pool.fetchrow(
        "SELECT seq, state::text AS state FROM execution_state WHERE execution_id = $1", execution
    )
    return (row["seq"], orjson.loads(row["state"])) if row else None


async def test_a_long_execution_goes_on_elsewhere_from_its_snapshot(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    definition = counting(f"{server.url}/gate", pause_at=520, rounds=600)
    plan = compile_plan(definition, CATALOG)
    async with room.running(drain_seconds=0.0):
        execution = await room.run(definition)
        await server.has("/gate")
        await until(room.pool, "SELECT count(*) > 0 FROM execution_state WHERE execution_id = $1", execution)
        snapshot = await stored(room, execution)
        assert snapshot is not None
        seq, state = snapshot
        assert seq >= 1_000
        assert from_json(state) == fold(plan, (await room.log(execution))[:seq])
    assert (await row_of(room.pool, execution)).owned is False

    server.let_go("/gate")
    async with room.running():
        assert await room.ending(execution) == Ending(status="COMPLETED", output=[600, 600])

    log = await room.log(execution)
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert [event.epoch for event in log if event.kind is EventKind.ADOPTED] == [1, 2]
    added = [event.path for event in log if event.node == "add"]
    assert added == ["add", *(f"add#{number}" for number in range(2, 601))]
    assert fold(plan, log).output == [600, 600]
    assert await stored(room, execution) is None


async def test_without_its_snapshot_an_execution_goes_on_all_the_same(room: EngineRoom, server: LocalServer) -> None:
    definition = flow(
        give("one", n=1), step("hold", "wait", signal="go"), step("done", "end"), "start > one > hold > done"
    )
    async with room.running():
        kept, bare = await room.start_all(await room.publish(definition), [None, None])
        for execution in (kept, bare):
            await room.let_go(execution)
        assert await stored(room, bare) is not None
        await room.pool.execute("DELETE FROM execution_state WHERE execution_id = $1", bare)

        for execution in (kept, bare):
            await room.signal(execution, "go", {"by": "Ada"})

        for execution in (kept, bare):
            assert await room.ending(execution) == Ending(status="COMPLETED", output={"by": "Ada"})


async def test_a_drained_worker_hands_over_what_has_steps_to_run(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    definition = flow(http("gate", f"{server.url}/gate"), step("done", "end", output=1), "start > gate > done")
    async with room.running(drain_seconds=5.0):
        execution = await room.run(definition)
        await server.has("/gate")
        server.let_go("/gate")
    row = await row_of(room.pool, execution)
    assert (row.owned, row.status) in [(False, "PENDING"), (False, "COMPLETED")]

    async with room.running():
        assert await room.ending(execution) == Ending(status="COMPLETED", output=1)
    assert server.count("/gate") == 1
