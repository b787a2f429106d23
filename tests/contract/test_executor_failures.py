"""Everything that can go wrong in an execution ends it clearly, and harms no other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace as changed

from app.clock import utc_now
from domain.engine.events import EventKind
from domain.graphs import Edge, Node, Retry
from domain.ids import ExecutionId
from domain.json import JSON, JSONObject, as_object
from tests.contract.engine_room import Ending, EngineRoom, Published
from tests.contract.flows import flow, give, http, step
from tests.contract.local_server import Answer, LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]


async def sound(engine: EngineRoom) -> None:
    """The engine still runs others."""
    execution = await engine.run(flow(give("one", n=1), "start > one"))
    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"n": 1})


async def test_a_step_that_exceeds_its_timeout_fails_and_hangs_up(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow")
    execution = await engine.run(flow(http("slow", f"{server.url}/slow", limit=0.05), "start > slow"))

    assert (await engine.ending(execution)).code == "TIMEOUT"
    await server.lost("/slow")


async def test_an_execution_that_exceeds_its_timeout_fails_and_stops_what_runs(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/slow")
    execution = await engine.run(flow(http("slow", f"{server.url}/slow"), "start > slow", timeout=0.2))
    await server.has("/slow")

    assert await engine.ending(execution) == Ending(
        status="FAILED", code="EXECUTION_TIMEOUT", message="The execution took longer than its timeout"
    )
    await server.lost("/slow")
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("TIMED_OUT", None),
        ("EXECUTION_FAILED", None),
    ]


async def test_an_execution_that_was_let_go_still_fails_at_its_timeout(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("hold", "wait", signal="go"), "start > hold", timeout=0.6))
    await engine.let_go(execution)
    assert await engine.pool.fetch("SELECT path FROM wake_up WHERE execution_id = $1", execution) == [("",)]

    assert (await engine.ending(execution)).code == "EXECUTION_TIMEOUT"


async def test_an_execution_that_is_overdue_when_it_is_claimed_starts_nothing(room: EngineRoom) -> None:
    published = await room.publish(flow(give("one", n=1), "start > one", timeout=1.0))
    execution = await room.start(published, ring=False, at=utc_now() - timedelta(seconds=2))

    async with room.running():
        assert (await room.ending(execution)).code == "EXECUTION_TIMEOUT"
    assert await room.trail(execution) == [("TIMED_OUT", None), ("EXECUTION_FAILED", None)]


async def test_a_fail_node_ends_the_execution_and_stops_what_runs(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/slow", "/gate")
    execution = await engine.run(
        flow(
            http("slow", f"{server.url}/slow"),
            http("gate", f"{server.url}/gate"),
            step("stop", "fail", message="Nothing left of {{ trigger.sku }}"),
            "start > slow",
            "start > gate > stop",
        ),
        {"sku": "A1"},
    )
    await server.has("/slow")
    await server.has("/gate")
    server.let_go("/gate")

    assert await engine.ending(execution) == Ending(
        status="FAILED", code="FAILED_BY_WORKFLOW", message="Nothing left of A1"
    )
    await server.lost("/slow")


async def test_a_failure_stops_a_step_that_was_just_about_to_begin(engine: EngineRoom, server: LocalServer) -> None:
    execution = await engine.run(
        flow(
            step("stop", "fail", message="no"),
            give("one", n=1),
            http("other", f"{server.url}/other"),
            "start > stop",
            "start > one",
            "start > other",
        )
    )

    assert (await engine.ending(execution)).code == "FAILED_BY_WORKFLOW"
    assert server.asked == []


async def test_steps_stopped_before_they_began_take_no_slot_for_ever(room: EngineRoom) -> None:
    published = await room.publish(
        flow(
            step("stop", "fail", message="no"),
            give("one", n=1),
            give("two", n=2),
            "start > stop",
            "start > one",
            "start > two",
        )
    )
    async with room.running(worker_steps=3):
        executions = await room.start_all(published, [None] * 6)
        await room.over(*executions)
        await sound(room)


async def test_a_condition_that_fails_on_an_edge_keeps_the_outcome_of_its_step(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(
            give("price", net=5),
            step("done", "end"),
            "start > price",
            Edge(source="price", target="done", condition="{{ input.missing.deeper > 1 }}"),
        )
    )

    ending = await engine.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", "CONDITION_FAILED")
    assert (ending.message or "").startswith("The condition of the edge to done failed: ")
    priced = await engine.event(execution, EventKind.STEP_COMPLETED, "price")
    assert priced.payload["output"] == {"net": 5}
    assert as_object(as_object(priced.payload["edges"])["1"])["code"] == "CONDITION_FAILED"
    last = (await engine.log(execution))[-1]
    assert last.payload["path"] == "price"


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (step("odd", "end", output="{{ input.missing.deeper }}"), "EXPRESSION_FAILED"),
        (step("odd", "end", output="{{ (() => { throw new Error('no') })() }}"), "EXPRESSION_FAILED"),
        (step("odd", "end", output="{{ (() => { for (;;) {} })() }}", limit=0.3), "TIMEOUT"),
        (step("odd", "if", condition="{{ input.missing.deeper }}"), "CONDITION_FAILED"),
        (step("odd", "delay", until="{{ 'tomorrow' }}"), "CONFIG_INVALID"),
        (step("odd", "http", url="http://127.0.0.2:1/"), "ADDRESS_REFUSED"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_no_repetition_can_mend_fails_at_the_first_attempt(
    engine: EngineRoom, node: Node, code: str
) -> None:
    patient = Node(id="odd", kind=node.kind, config=node.config, timeout=node.timeout)
    execution = await engine.run(flow(patient, "start > odd"), {})

    ending = await engine.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", code)
    assert (await engine.trail(execution))[1:] == [("STEP_FAILED", "odd"), ("EXECUTION_FAILED", None)]


async def test_an_expression_that_fails_is_not_tried_again(engine: EngineRoom) -> None:
    execution = await engine.run(
        flow(step("odd", "end", output="{{ input.missing.deeper }}", retry=Retry(max_attempts=5)), "start > odd"), {}
    )

    assert (await engine.ending(execution)).code == "EXPRESSION_FAILED"


async def test_an_output_that_is_too_large_fails_its_step(room: EngineRoom, server: LocalServer) -> None:
    server.reply("/large", answer("x" * 2_000))
    async with room.running(max_output_bytes=1_024):
        execution = await room.run(flow(http("large", f"{server.url}/large"), "start > large"))

        ending = await room.ending(execution)
        assert (ending.status, ending.code) == ("FAILED", "OUTPUT_TOO_LARGE")
        await sound(room)


@pytest.mark.parametrize(
    ("body", "stored"),
    [(b'{"a\\u0000": "b\\u0000c"}', {"a\ufffd": "b\ufffdc"}), (b"[1e308, 1e-320]", [1e308, 1e-320])],
    ids=["NUL", "extreme numbers"],
)
async def test_a_body_postgresql_has_no_word_for_is_stored_as_near_as_can_be(
    engine: EngineRoom, server: LocalServer, body: bytes, stored: JSON
) -> None:
    server.reply("/odd", Answer(body=body))
    execution = await engine.run(
        flow(http("odd", f"{server.url}/odd"), step("done", "end", output="{{ input.body }}"), "start > odd > done")
    )

    assert await engine.ending(execution) == Ending(status="COMPLETED", output=stored)
    await sound(engine)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'"\\ud800"', "RESPONSE_NOT_JSON"),
        (b"[" * 500 + b"]" * 500, "OUTPUT_INVALID"),
        (b"[" * 5_000 + b"]" * 5_000, "RESPONSE_NOT_JSON"),
        (b"[NaN]", "RESPONSE_NOT_JSON"),
    ],
    ids=["half a surrogate pair", "deep", "deeper", "NaN"],
)
async def test_a_body_that_nobody_can_store_fails_its_step(
    engine: EngineRoom, server: LocalServer, body: bytes, code: str
) -> None:
    server.reply("/odd", Answer(body=body))
    execution = await engine.run(flow(http("odd", f"{server.url}/odd"), "start > odd"))

    ending = await engine.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", code)
    await sound(engine)


async def test_half_a_character_in_what_a_step_says_becomes_a_whole_one(engine: EngineRoom) -> None:
    execution = await engine.run(flow(step("odd", "fail", message="{{ '\U0001f600'.slice(0, 1) }}"), "start > odd"))

    assert await engine.ending(execution) == Ending(status="FAILED", code="FAILED_BY_WORKFLOW", message="\ufffd")


@asynccontextmanager
async def refusing(room: EngineRoom, word: str) -> AsyncGenerator[None]:
    """PostgreSQL takes no event with this word in it."""
    owner = await asyncpg.connect(room.dsn)
    try:
        await owner.execute(
            "ALTER TABLE execution_event ADD CONSTRAINT no_word"
            f" CHECK (kind <> 'STEP_COMPLETED' OR payload::text NOT LIKE '%{word}%') NOT VALID"
        )
        yield
        await owner.execute("ALTER TABLE execution_event DROP CONSTRAINT no_word")
    finally:
        await owner.close()


async def test_an_event_that_postgresql_refuses_ends_its_execution_and_no_other(engine: EngineRoom) -> None:
    good = await engine.publish(flow(give("one", n="{{ input.n }}"), "start > one"))
    bad = await engine.publish(flow(give("one", n="unspeakable"), "start > one"))
    async with refusing(engine, "unspeakable"):
        ended = await engine.start(bad)
        others = await engine.start_all(good, [{"n": n} for n in range(50)])
        await engine.over(ended, *others)

    ending = await engine.ending(ended)
    assert (ending.status, ending.code) == ("FAILED", "UNRUNNABLE")
    assert "no_word" in (ending.message or "")
    statuses = await engine.pool.fetch("SELECT DISTINCT status FROM execution WHERE id = ANY ($1)", others)
    assert statuses == [("COMPLETED",)]


async def ended(engine: EngineRoom, published: Published) -> tuple[Ending, ExecutionId]:
    execution = await engine.start(published)
    return await engine.ending(execution), execution


@pytest.mark.parametrize(
    "stored",
    [
        {"nodes": [{"id": "start", "kind": "trigger"}, {"id": "x", "kind": "teleport"}], "edges": []},
        {"nodes": [{"id": "start", "kind": "trigger"}], "edges": [{"source": "start", "target": "nowhere"}]},
        {"nodes": [{"id": "m", "kind": "merge", "config": {"mode": "sometimes"}}], "edges": []},
        {"nodes": [{"id": "start", "kind": "trigger", "onError": "sing"}], "edges": []},
        {"nodes": [{"id": "x", "kind": "end", "config": {"output": "{{ 1 + }}"}}], "edges": []},
        {"edges": []},
    ],
    ids=["kind", "edge", "merge mode", "enumeration", "expression", "shape"],
)
async def test_a_version_that_cannot_run_here_ends_as_unrunnable_and_stops_nobody(
    engine: EngineRoom, stored: JSONObject
) -> None:
    published = await engine.publish(flow(), stored=stored)

    ending, execution = await ended(engine, published)

    assert (ending.status, ending.code) == ("FAILED", "UNRUNNABLE")
    assert (ending.message or "").startswith("The execution cannot go on: ")
    assert await engine.trail(execution) == [("EXECUTION_FAILED", None)]
    await sound(engine)


async def test_a_log_that_does_not_fit_its_version_ends_as_unrunnable(room: EngineRoom) -> None:
    published = await room.publish(flow(give("one", n=1), "start > one"))
    new = room.prepared(published)
    (first,) = new.events
    torn = (first, changed(first, seq=3, kind=EventKind.STEP_COMPLETED, node="start", path="start"))
    await room.insert(published, [replace(new, events=torn)])

    async with room.running():
        ending = await room.ending(new.id)
    assert (ending.status, ending.code) == ("FAILED", "UNRUNNABLE")
