"""Executions that wait: for what, how they are let go and taken up again, and that nothing is lost meanwhile."""

from datetime import datetime, timedelta

import orjson

from app.clock import utc_now
from domain.engine.events import EventKind
from domain.engine.ports import ExecutionStatus, InboxKind
from domain.graphs import Retry
from domain.ids import ExecutionId, TenantId
from domain.inbox import Posted
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, http, step
from tests.contract.ledger import row_of
from tests.contract.local_server import LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]

HOLD = flow(step("hold", "wait", signal="go"), step("done", "end"), "start > hold > done")


async def epochs(engine: EngineRoom, execution: ExecutionId) -> list[int]:
    """One per owner that the execution had."""
    return [event.epoch for event in await engine.log(execution) if event.kind is EventKind.ADOPTED]


async def test_a_short_delay_stays_with_its_worker(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("nap", "delay", seconds=0.05), "start > nap"), {"n": 1})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 1})
    log = await engine.log(execution)
    assert [(each.kind.value, each.path) for each in log[2:]] == [
        ("STEP_COMPLETED", "start"),
        ("WAITING", "nap"),
        ("STEP_COMPLETED", "nap"),
        ("EXECUTION_COMPLETED", None),
    ]
    assert log[4].at - log[3].at >= timedelta(milliseconds=50)
    assert await epochs(engine, execution) == [1]


async def test_a_long_delay_is_let_go_until_it_is_due(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("nap", "delay", seconds=60), "start > nap"))
    await engine.let_go(execution)

    waiting = await engine.event(execution, EventKind.WAITING, "nap")
    rows = await engine.pool.fetch("SELECT path, due_at FROM wake_up WHERE execution_id = $1", execution)
    assert [(row["path"], row["due_at"].isoformat()) for row in rows] == [("nap", waiting.payload["until"])]
    row = await row_of(engine.pool, execution)
    assert (row.status, row.epoch, row.owned, row.wants_owner) == ("WAITING", 1, False, False)


async def test_a_due_wake_up_finds_an_owner_and_goes_on(engine: EngineRoom) -> None:
    published = await engine.publish(flow(step("nap", "delay", seconds=60), "start > nap"))
    before = utc_now() - timedelta(seconds=60)
    (execution,) = await engine.insert(published, [engine.prepared(published, {"n": 1}, at=before)], ring=False)
    await asleep_since(engine, execution, published.tenant_id, before)

    await engine.sweep()

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 1})
    assert await epochs(engine, execution) == [2]


async def asleep_since(engine: EngineRoom, execution: ExecutionId, tenant: TenantId, before: datetime) -> None:
    """What a worker leaves that let the execution go at `before`, to be woken ten seconds later."""
    due = before + timedelta(seconds=10)
    row = "INSERT INTO execution_event (execution_id, tenant_id, epoch, seq, kind, node, path, attempt, payload, at)"
    row += " VALUES ($1, $2, 1, $3, $4, $5, $5, 1, $6::text::jsonb, $7)"
    output, until = orjson.dumps({"output": {"n": 1}}), orjson.dumps({"until": due})
    await engine.pool.execute(
        "UPDATE execution SET status = 'WAITING', wants_owner = false, epoch = 1 WHERE id = $1", execution
    )
    await engine.pool.execute(row, execution, tenant, 2, "STEP_COMPLETED", "start", output.decode(), before)
    await engine.pool.execute(row, execution, tenant, 3, "WAITING", "nap", until.decode(), before)
    await engine.pool.execute(
        "INSERT INTO wake_up (execution_id, path, tenant_id, due_at) VALUES ($1, 'nap', $2, $3)", execution, tenant, due
    )


async def test_a_signal_ends_the_wait_for_it(engine: EngineRoom) -> None:
    execution = await engine.run(HOLD)
    await engine.let_go(execution)

    await engine.signal(execution, "go", {"by": "Ada"})

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"by": "Ada"})
    assert await epochs(engine, execution) == [1, 2]


async def test_a_signal_that_comes_before_the_wait_is_kept_for_it(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    execution = await engine.run(
        flow(http("gate", f"{server.url}/gate"), step("hold", "wait", signal="go"), "start > gate > hold")
    )
    await server.has("/gate")
    await engine.signal(execution, "go", 1)
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    server.let_go("/gate")

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=1)
    assert await epochs(engine, execution) == [1]


async def test_signals_go_to_waits_in_the_order_they_came(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            step("first", "wait", signal="go"),
            step("second", "wait", signal="go"),
            step("both", "merge"),
            "start > first > both",
            "start > second > both",
        )
    )
    await engine.event(execution, EventKind.WAITING, "second")
    await engine.signal(execution, "other", 0)
    await engine.signal(execution, "go", 1)
    await engine.signal(execution, "go", 2)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"first": 1, "second": 2})


async def test_a_signal_sent_twice_under_one_key_is_one(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(step("first", "wait", signal="go"), step("second", "wait", signal="go"), "start > first > second")
    )
    posted = [await engine.signal(execution, "go", n, key="once") for n in (1, 2)]
    await engine.event(execution, EventKind.STEP_COMPLETED, "first")
    posted.append(await engine.signal(execution, "go", 3, key="once"))
    posted.append(await engine.signal(execution, "go", 4, key="again"))

    assert posted == [Posted.ACCEPTED, Posted.REPEATED, Posted.REPEATED, Posted.ACCEPTED]
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=4)


async def test_a_wait_that_takes_too_long_leaves_by_its_timeout(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            step("hold", "wait", signal="go", timeout=0.05),
            step("in time", "end", output="in time"),
            step("late", "end", output="{{ input.n }}"),
            "start > hold > in time",
            "hold:timeout > late",
        ),
        {"n": 5},
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=5)


async def test_messages_that_come_while_an_execution_is_let_go_are_not_lost(engine: EngineRoom) -> None:
    published = await engine.publish(HOLD)
    executions = await engine.start_all(published, [None] * 50)

    for number, execution in enumerate(executions):
        await engine.event(execution, EventKind.WAITING)
        await engine.signal(execution, "go", number)

    await engine.over(*executions)
    rows = await engine.pool.fetch("SELECT output::text::int AS n FROM execution WHERE id = ANY ($1)", executions)
    assert sorted(row["n"] for row in rows) == list(range(50))


async def test_a_message_whose_announcement_was_lost_is_found_all_the_same(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/gate")
    owned = await engine.run(flow(http("gate", f"{server.url}/gate"), "start > gate"))
    waiting = await engine.start(await engine.publish(HOLD), at=utc_now() - timedelta(seconds=10))
    await server.has("/gate")
    await engine.let_go(waiting)

    await engine.post(owned, InboxKind.CANCEL, ring=False)
    await engine.signal(waiting, "go", 1, ring=False)

    assert (await engine.ending(owned)).status == "CANCELLED"
    assert (await engine.ending(waiting)).status == "COMPLETED"


async def test_what_runs_finishes_while_paused_and_nothing_new_begins(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/gate")
    execution = await engine.run(
        flow(http("gate", f"{server.url}/gate"), step("done", "end", output=1), "start > gate > done")
    )
    await server.has("/gate")
    await engine.post(execution, InboxKind.PAUSE)
    await engine.event(execution, EventKind.PAUSED)
    assert (await row_of(engine.pool, execution)).status == "PAUSED"
    server.let_go("/gate")

    await engine.let_go(execution, ExecutionStatus.PAUSED)
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("PAUSED", None),
        ("STEP_COMPLETED", "gate"),
    ]

    await engine.post(execution, InboxKind.RESUME)
    assert await engine.ending(execution) == Ending(status="COMPLETED", output=1)


async def test_a_step_that_waits_for_a_free_slot_does_not_begin_while_paused(
    room: EngineRoom, server: LocalServer
) -> None:
    server.hold("/one", "/two")
    definition = flow(http("one", f"{server.url}/one"), http("two", f"{server.url}/two"), "start > one", "start > two")
    async with room.running(worker_steps=1):
        execution = await room.run(definition)
        await server.has("/one")
        await room.post(execution, InboxKind.PAUSE)
        await room.event(execution, EventKind.PAUSED)
        server.let_go("/one")
        await room.let_go(execution, ExecutionStatus.PAUSED)
        assert server.count("/two") == 0

        await room.post(execution, InboxKind.RESUME)
        await server.has("/two")
        server.let_go("/two")
        assert (await room.ending(execution)).status == "COMPLETED"


async def test_a_moment_that_came_while_paused_counts_when_it_is_resumed(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/gate")
    execution = await engine.run(
        flow(
            http("gate", f"{server.url}/gate"),
            step("nap", "delay", seconds=0.2),
            "start > gate",
            "start > nap",
        )
    )
    await server.has("/gate")
    waiting = await engine.event(execution, EventKind.WAITING, "nap")
    await engine.post(execution, InboxKind.PAUSE)
    await engine.event(execution, EventKind.PAUSED)
    await engine.clock_passes(str(waiting.payload["until"]))

    await engine.post(execution, InboxKind.RESUME)
    await engine.event(execution, EventKind.STEP_COMPLETED, "nap")

    server.let_go("/gate")
    assert (await engine.ending(execution)).status == "COMPLETED"


async def test_what_comes_for_a_paused_execution_waits_with_it(engine: EngineRoom) -> None:
    execution = await engine.run(HOLD)
    await engine.let_go(execution)
    await engine.post(execution, InboxKind.PAUSE)
    await engine.let_go(execution, ExecutionStatus.PAUSED)
    await engine.signal(execution, "go", 1)
    await engine.event(execution, EventKind.SIGNAL_RECEIVED)
    await engine.let_go(execution, ExecutionStatus.PAUSED)

    await engine.post(execution, InboxKind.RESUME)

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=1)
    assert [kind for kind, _ in await engine.trail(execution)] == [
        "STEP_COMPLETED",
        "WAITING",
        "PAUSED",
        "SIGNAL_RECEIVED",
        "RESUMED",
        "STEP_COMPLETED",
        "STEP_COMPLETED",
        "EXECUTION_COMPLETED",
    ]


async def test_a_paused_execution_is_not_woken_for_what_is_due(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("nap", "delay", seconds=60), "start > nap"))
    await engine.let_go(execution)
    await engine.post(execution, InboxKind.PAUSE)
    await engine.let_go(execution, ExecutionStatus.PAUSED)
    assert await engine.pool.fetch("SELECT path FROM wake_up WHERE execution_id = $1", execution) == []

    await engine.post(execution, InboxKind.RESUME)
    await engine.let_go(execution)
    assert await engine.pool.fetch("SELECT path FROM wake_up WHERE execution_id = $1", execution) == [("nap",)]


async def test_a_cancelled_execution_hangs_up_on_whom_it_was_calling(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(flow(http("slow", f"{server.url}/slow"), "start > slow"))
    await server.has("/slow")

    await engine.post(execution, InboxKind.CANCEL, {"reason": "enough"}, key="cancel")

    assert await engine.ending(execution) == Ending(status="CANCELLED")
    await server.lost("/slow")
    cancelled = await engine.event(execution, EventKind.EXECUTION_CANCELLED)
    assert cancelled.payload == {"reason": "enough"}
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("CANCEL_REQUESTED", None),
        ("EXECUTION_CANCELLED", None),
    ]


async def test_a_waiting_or_paused_execution_can_be_cancelled(engine: EngineRoom) -> None:
    waiting, paused = await engine.start_all(await engine.publish(HOLD), [None, None])
    await engine.let_go(waiting)
    await engine.post(paused, InboxKind.PAUSE)
    await engine.let_go(paused, ExecutionStatus.PAUSED)

    for execution in (waiting, paused):
        await engine.post(execution, InboxKind.CANCEL, key="cancel")

    assert [(await engine.ending(each)).status for each in (waiting, paused)] == ["CANCELLED", "CANCELLED"]


async def test_an_execution_cancelled_before_anybody_took_it_runs_nothing(room: EngineRoom) -> None:
    execution = await room.start(await room.publish(HOLD), ring=False)
    posted = [await room.post(execution, InboxKind.CANCEL, key="cancel", ring=False) for _ in range(2)]

    async with room.running():
        assert await room.ending(execution) == Ending(status="CANCELLED")

    posted.append(await room.post(execution, InboxKind.CANCEL, key="cancel", ring=False))
    assert posted == [Posted.ACCEPTED, Posted.REPEATED, Posted.FINISHED]
    assert await room.trail(execution) == [("CANCEL_REQUESTED", None), ("EXECUTION_CANCELLED", None)]


async def test_a_step_between_two_attempts_can_be_cancelled(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/bad", answer(status=503))
    retry = Retry(max_attempts=5, initial_delay=2.5, jitter=False)
    execution = await engine.run(flow(http("bad", f"{server.url}/bad", retry=retry), "start > bad"))
    await engine.event(execution, EventKind.STEP_FAILED)

    await engine.post(execution, InboxKind.CANCEL)

    assert (await engine.ending(execution)).status == "CANCELLED"
    assert server.count("/bad") == 1
