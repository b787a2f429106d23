"""Executions from their start to their end, on real servers: which steps run, and what the log says of it."""

from datetime import datetime, timedelta

import pytest

from domain.engine.events import EventKind
from domain.graphs import Backoff, Edge, FailureStrategy, OnError, Retry
from domain.ids import encode
from domain.json import as_object
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]


async def test_a_chain_leaves_one_row_per_step_and_two_for_the_execution(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            give("price", net="{{ input.n * 2 }}"),
            step("done", "end", output="{{ vars.net }}"),
            "start > price > done",
        ),
        {"n": 21},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=42)
    log = await engine.log(execution)
    assert [(each.seq, each.kind.value, each.path, each.attempt, sorted(each.payload)) for each in log] == [
        (1, "EXECUTION_STARTED", None, None, ["deadline", "input", "trigger", "variables"]),
        (2, "ADOPTED", None, None, ["worker"]),
        (3, "STEP_COMPLETED", "start", 1, ["handles", "ms", "output"]),
        (4, "STEP_COMPLETED", "price", 1, ["handles", "ms", "output", "variables"]),
        (5, "STEP_COMPLETED", "done", 1, ["handles", "ms", "output"]),
        (6, "EXECUTION_COMPLETED", None, None, ["output"]),
    ]
    assert [each.epoch for each in log] == [0, 1, 1, 1, 1, 1]


async def test_a_finished_execution_leaves_nothing_behind_but_its_row_and_its_log(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("nap", "delay", seconds=0.01), "start > nap"))
    await engine.over(execution)

    row = await engine.pool.fetchrow(
        """SELECT owner, wants_owner, started_at <= finished_at AS ordered,
             (SELECT count(*) FROM execution_inbox WHERE execution_id = x.id) AS inbox,
             (SELECT count(*) FROM execution_state WHERE execution_id = x.id) AS state,
             (SELECT count(*) FROM wake_up WHERE execution_id = x.id) AS wake_ups
           FROM execution AS x WHERE id = $1""",
        execution,
    )
    assert row is not None
    assert dict(row) == {
        "owner": None,
        "wants_owner": False,
        "ordered": True,
        "inbox": 0,
        "state": 0,
        "wake_ups": 0,
    }


@pytest.mark.parametrize(("amount", "way"), [(200, "dear"), (20, "cheap")])
async def test_branches_of_an_if_meet_again_and_the_one_not_taken_is_dead(
    engine: EngineRoom, amount: int, way: str
) -> None:
    execution = await engine.run(
        flow(
            step("check", "if", condition="{{ input.amount > 100 }}"),
            give("dear", said="dear"),
            give("cheap", said="cheap"),
            step("meet", "end"),
            "start > check",
            "check:true > dear > meet",
            "check:false > cheap > meet",
        ),
        {"amount": amount},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"said": way})
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "check"),
        ("STEP_COMPLETED", way),
        ("STEP_COMPLETED", "meet"),
        ("EXECUTION_COMPLETED", None),
    ]
    checked = await engine.event(execution, EventKind.STEP_COMPLETED, "check")
    assert as_object(checked.payload["decision"])["result"] is (amount > 100)


async def test_a_merge_of_all_waits_for_both_and_gives_both(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(
        flow(
            http("slow", f"{server.url}/slow"),
            give("quick", n=1),
            step("both", "merge"),
            step("done", "end", output="{{ [input.slow.status, input.quick.n] }}"),
            "start > slow > both",
            "start > quick > both > done",
        )
    )
    await engine.event(execution, EventKind.STEP_COMPLETED, "quick")
    await server.has("/slow")
    server.let_go("/slow")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=[200, 1])


@pytest.mark.parametrize("mode", ["any", "first"])
async def test_a_race_is_won_by_the_first_and_the_loser_is_hung_up_on(
    engine: EngineRoom, server: LocalServer, mode: str
) -> None:
    server.hold("/slow", "/quick")
    execution = await engine.run(
        flow(
            http("slow", f"{server.url}/slow"),
            http("quick", f"{server.url}/quick"),
            step("race", "merge", mode=mode),
            step("done", "end", output="{{ input.status }}"),
            "start > slow > race",
            "start > quick > race > done",
        )
    )
    await server.has("/slow")
    await server.has("/quick")
    server.let_go("/quick")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=200)
    await server.lost("/slow")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_COMPLETED", "quick"),
        ("STEP_COMPLETED", "race"),
        ("STEP_COMPLETED", "done"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_a_failure_before_the_first_success_does_not_count(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/good")
    server.reply("/bad", answer(status=404))
    execution = await engine.run(
        flow(
            http("bad", f"{server.url}/bad"),
            http("good", f"{server.url}/good"),
            step("race", "merge", mode="first"),
            "start > bad > race",
            "start > good > race",
        )
    )
    await engine.event(execution, EventKind.STEP_FAILED, "bad")
    server.let_go("/good")

    assert (await engine.ending(execution)).status == "COMPLETED"


async def test_a_race_that_everybody_loses_fails(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/bad", answer(status=404))
    execution = await engine.run(
        flow(
            http("one", f"{server.url}/bad"),
            http("other", f"{server.url}/bad"),
            step("race", "merge", mode="first"),
            "start > one > race",
            "start > other > race",
        )
    )

    assert (await engine.ending(execution)).code == "HTTP_STATUS"


async def test_a_failed_attempt_is_repeated_later_under_the_same_idempotency_key(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.reply("/price", answer(status=503), answer(status=503), answer(7))
    retry = Retry(max_attempts=3, backoff=Backoff.EXPONENTIAL, initial_delay=0.02, jitter=False)
    execution = await engine.run(
        flow(
            http("price", f"{server.url}/price", method="POST", retry=retry),
            step("done", "end", output="{{ input.body }}"),
            "start > price > done",
        )
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=7)
    log = [each for each in await engine.log(execution) if each.path == "price"]
    assert [(each.kind.value, each.attempt, each.payload.get("final")) for each in log] == [
        ("STEP_FAILED", 1, False),
        ("STEP_FAILED", 2, False),
        ("STEP_COMPLETED", 3, None),
    ]
    delays = [datetime.fromisoformat(str(each.payload["retryAt"])) - each.at for each in log[:2]]
    assert delays == [timedelta(milliseconds=20), timedelta(milliseconds=40)]
    assert log[2].at >= datetime.fromisoformat(str(log[1].payload["retryAt"]))
    keys = {asked.headers["idempotency-key"] for asked in server.asked}
    assert keys == {f"{encode('execution', execution)}:price"}


async def test_the_last_attempts_failure_is_final(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/price", answer(status=503))
    retry = Retry(max_attempts=2, initial_delay=0.0, jitter=False)
    execution = await engine.run(flow(http("price", f"{server.url}/price", retry=retry), "start > price"))

    assert await engine.ending(execution) == Ending(
        status="FAILED", code="HTTP_STATUS", message="The answer has the status 503"
    )
    last = await engine.event(execution, EventKind.STEP_FAILED, "price", count=2)
    assert (last.attempt, last.payload["final"], last.payload["handles"]) == (2, True, [])
    assert server.count("/price") == 2


async def test_a_server_that_asks_for_more_patience_than_there_is_stops_nobody(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.reply("/price", answer(status=503, retry_after="9" * 30))
    execution = await engine.run(
        flow(http("price", f"{server.url}/price", retry=Retry(max_attempts=2)), "start > price")
    )

    failed = await engine.event(execution, EventKind.STEP_FAILED, "price")
    assert datetime.fromisoformat(str(failed.payload["retryAt"])) - failed.at == timedelta(days=1)
    await engine.let_go(execution)


async def test_a_routed_error_goes_to_the_error_output_with_the_steps_own_input(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.reply("/price", answer({"no": "such"}, status=404))
    execution = await engine.run(
        flow(
            http("price", f"{server.url}/price", on_error=OnError.ROUTE),
            step("fine", "end"),
            step("sorry", "end", output="{{ [error.code, error.details.status, input.sku] }}"),
            "start > price > fine",
            "price:error > sorry",
        ),
        {"sku": "A1"},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["HTTP_STATUS", 404, "A1"])
    failed = await engine.event(execution, EventKind.STEP_FAILED, "price")
    assert (failed.payload["final"], failed.payload["handles"]) == (True, ["error"])


async def test_a_failure_that_is_let_go_on_passes_on_what_the_step_was_given(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.reply("/price", answer(status=404))
    execution = await engine.run(
        flow(
            http("price", f"{server.url}/price", on_error=OnError.CONTINUE),
            step("done", "end", output="{{ [input.sku, steps.price.status, steps.price.error.code] }}"),
            "start > price > done",
        ),
        {"sku": "A1"},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=["A1", "FAILED", "HTTP_STATUS"])


async def test_the_last_node_may_fail_when_it_is_let_go_on(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(step("done", "end", output="{{ vars.nothing.here }}", on_error=OnError.CONTINUE), "start > done")
    )

    assert (await engine.ending(execution)).status == "COMPLETED"


async def test_with_the_strategy_continue_the_other_branches_finish_before_it_fails(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/slow")
    server.reply("/bad", answer(status=404))
    execution = await engine.run(
        flow(
            http("bad", f"{server.url}/bad"),
            http("slow", f"{server.url}/slow"),
            give("after", said="late"),
            "start > bad",
            "start > slow > after",
            strategy=FailureStrategy.CONTINUE,
        )
    )
    await engine.event(execution, EventKind.STEP_FAILED, "bad")
    server.let_go("/slow")

    assert (await engine.ending(execution)).code == "HTTP_STATUS"
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_FAILED", "bad"),
        ("STEP_COMPLETED", "slow"),
        ("STEP_COMPLETED", "after"),
        ("EXECUTION_FAILED", None),
    ]


async def test_a_cycle_runs_until_its_condition_lets_it_out(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            give("add", n="{{ vars.n + 1 }}"),
            step("enough", "if", condition="{{ vars.n >= 3 }}"),
            step("done", "end", output="{{ vars.n }}"),
            "start > add > enough",
            "enough:true > done",
            Edge(source="enough", target="add", source_handle="false", max_iterations=5),
            variables={"n": 0},
        )
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=3)
    paths = [path for _, path in await engine.trail(execution)]
    assert paths == ["start", "add", "enough", "add#2", "enough#2", "add#3", "enough#3", "done", None]


async def test_the_edges_a_condition_refuses_are_not_taken_and_the_log_says_so(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            step("one", "end", output="one"),
            step("two", "end", output="two"),
            Edge(source="start", target="one", condition="{{ input.n == 1 }}"),
            Edge(source="start", target="two", condition="{{ input.n == 2 }}"),
        ),
        {"n": 2},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output="two")
    started = await engine.event(execution, EventKind.STEP_COMPLETED, "start")
    assert started.payload["edges"] == {"0": False, "1": True}


async def test_a_thousand_executions_at_once_all_end_with_their_own_result(engine: EngineRoom) -> None:
    published = await engine.publish(
        flow(give("twice", n="{{ input.n * 2 }}"), step("done", "end", output="{{ vars.n }}"), "start > twice > done")
    )

    executions = await engine.start_all(published, [{"n": n} for n in range(1_000)])
    await engine.over(*executions)

    rows = await engine.pool.fetch("SELECT output::text::int AS n FROM execution WHERE id = ANY ($1)", executions)
    assert sorted(row["n"] for row in rows) == [2 * n for n in range(1_000)]
    seqs = await engine.pool.fetch(
        "SELECT DISTINCT count(*) AS rows, max(seq) AS last FROM execution_event WHERE execution_id = ANY ($1)"
        " GROUP BY execution_id",
        executions,
    )
    assert [tuple(row) for row in seqs] == [(6, 6)]
