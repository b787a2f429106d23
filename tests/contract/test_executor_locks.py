"""What nodes carry beside their config, on real servers: locks, kept results, runs that are not repeated."""

from dataclasses import replace
from typing import Any

from domain.engine.events import EventKind
from domain.engine.ports import InboxKind
from domain.graphs import Definition, Node
from domain.json import JSON, JSONObject
from tests.contract.engine_room import Ending, EngineRoom, Published
from tests.contract.flows import AT_ONCE, flow, give, http, step
from tests.contract.local_server import LocalServer, answer

pytest_plugins = ["tests.contract.engine_fixture"]


def locked(node: Node, name: str = "till", **lock: JSON) -> Node:
    return replace(node, lock={"name": name, **lock})


def till(server: LocalServer, limit: int = 1, timeout: float | None = None) -> Definition:
    """One call that holds the lock of the till while it lasts."""
    return flow(locked(http("pay", f"{server.url}/pay"), limit=limit, timeout=timeout), "start > pay")


async def held(room: EngineRoom) -> list[tuple[JSON, ...]]:
    rows = await room.pool.fetch("SELECT path, name, granted_at IS NOT NULL FROM lock_request ORDER BY ticket")
    return [tuple(row) for row in rows]


async def waits(room: EngineRoom, published: Published, count: int) -> list[JSONObject]:
    """Start one after the other; what the log says of each that has to wait."""
    said: list[JSONObject] = []
    for _ in range(count):
        execution = await room.start(published)
        said.append((await room.event(execution, EventKind.WAITING)).payload)
    return said


async def test_steps_of_different_executions_hold_a_lock_one_after_the_other(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.hold("/pay")
    published = await engine.publish(till(server))
    first = await engine.start(published)
    await server.has("/pay")
    second = await engine.start(published)
    waiting = await engine.event(second, EventKind.WAITING)
    third = await engine.start(published)
    last = await engine.event(third, EventKind.WAITING)

    assert waiting.payload == {"signal": "lock:pay", "lock": {"name": "till", "position": 1}}
    assert last.payload == {"signal": "lock:pay", "lock": {"name": "till", "position": 2}}
    assert server.count("/pay") == 1

    server.let_go("/pay")
    await engine.over(first, second, third)
    assert engine.finished_in_order[-3:] == [first, second, third]
    assert await held(engine) == []


async def test_a_limit_makes_a_semaphore(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    published = await engine.publish(till(server, limit=2))
    two = [await engine.start(published), await engine.start(published)]
    await server.has("/pay", 2)
    (said,) = await waits(engine, published, 1)

    assert said["lock"] == {"name": "till", "position": 1}
    server.let_go("/pay")
    await engine.over(*two)


async def test_a_lock_is_one_tenant_s_and_its_name_may_be_computed(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    node = locked(http("pay", f"{server.url}/pay"), "till of {{ input.shop }}")
    published = await engine.publish(flow(node, "start > pay"))
    stranger = await engine.publish(till(server))
    running = [
        await engine.start(published, {"shop": "a"}),
        await engine.start(published, {"shop": "b"}),
        await engine.start(stranger),
    ]

    await server.has("/pay", 3)
    server.let_go("/pay")
    await engine.over(*running)


async def test_a_step_that_waits_too_long_for_its_lock_fails(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    holder = await engine.run(till(server))
    await server.has("/pay")
    (tenant,) = await engine.pool.fetch("SELECT tenant_id FROM execution WHERE id = $1", holder)
    published = await engine.publish(till(server, timeout=0.1), tenant["tenant_id"])
    late = await engine.start(published)

    ending = await engine.ending(late)
    assert (ending.code, ending.message) == ("LOCK_TIMEOUT", "The lock was not free within 0.1 s")
    assert await held(engine) == [("pay", "till", True)]
    server.let_go("/pay")
    await engine.over(holder)


async def test_a_lock_is_held_through_retries_and_given_up_by_a_failure(
    engine: EngineRoom, server: LocalServer
) -> None:
    server.reply("/pay", answer(status=500), answer(status=500), answer(status=400))
    node = replace(locked(http("pay", f"{server.url}/pay")), retry=AT_ONCE)
    execution = await engine.run(flow(node, "start > pay"))

    assert (await engine.ending(execution)).status == "FAILED"
    assert server.count("/pay") == 3
    assert await held(engine) == []


async def test_a_cancelled_holder_lets_the_next_one_in(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    published = await engine.publish(till(server))
    first = await engine.start(published)
    await server.has("/pay")
    second = await engine.start(published)
    await engine.event(second, EventKind.WAITING)
    await engine.post(first, InboxKind.CANCEL, {"reason": "enough"})
    await engine.over(first)

    await server.has("/pay", 2)
    server.let_go("/pay")
    assert (await engine.ending(second)).status == "COMPLETED"


async def test_a_lost_worker_s_step_keeps_its_lock_and_goes_on_elsewhere(room: EngineRoom, server: LocalServer) -> None:
    server.hold("/pay")
    published = await room.publish(till(server))
    async with room.running() as lost:
        first = await room.start(published)
        await server.has("/pay")
        second = await room.start(published)
        await room.event(second, EventKind.WAITING)
        await room.lose(first, second)
        await lost.executor.drain(0.0)
    async with room.running():
        await server.has("/pay", 2)
        server.let_go("/pay")
        await room.over(first, second)
    assert room.finished_in_order[-2:] == [first, second]
    assert server.count("/pay") == 3


async def test_a_wait_of_its_own_does_not_give_up_the_lock(engine: EngineRoom) -> None:
    published = await engine.publish(flow(locked(step("ask", "wait", signal="go")), "start > ask"))
    first = await engine.start(published)
    await engine.event(first, EventKind.WAITING)
    second = await engine.start(published)
    waiting = await engine.event(second, EventKind.WAITING)
    assert waiting.payload["signal"] == "lock:ask"

    await engine.signal(first, "go", 1)
    assert (await engine.ending(first)).output == 1
    await engine.event(second, EventKind.WAITING, count=2)
    await engine.signal(second, "go", 2)
    assert (await engine.ending(second)).output == 2


async def test_branches_of_one_execution_take_turns(engine: EngineRoom, server: LocalServer) -> None:
    server.hold("/b", "/c")
    own = "door {{ execution.id }}"
    execution = await engine.run(
        flow(
            locked(http("b", f"{server.url}/b"), own),
            locked(http("c", f"{server.url}/c"), own),
            give("done", ok=True),
            step("gate", "wait", signal="go"),
            "start > b > done",
            "start > gate > c > done",
        )
    )
    await server.has("/b")
    await engine.signal(execution, "go", None)
    await engine.event(execution, EventKind.WAITING, "c")
    server.let_go("/b")
    await server.has("/c")
    server.let_go("/c")
    assert await engine.ending(execution) == Ending(status="COMPLETED", output={"ok": True})


async def test_a_kept_result_stands_for_the_run(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/rate", answer({"rate": 1.1}), answer({"rate": 1.2}))
    ask = replace(http("rate", f"{server.url}/rate?currency={{{{ input }}}}"), cache={"ttl": 60})
    published = await engine.publish(flow(ask, "start > rate"))

    first, again = await engine.start(published, "EUR"), None
    await engine.over(first)
    again = await engine.start(published, "EUR")
    await engine.over(again)
    other = await engine.start(published, "USD")
    await engine.over(other)

    assert server.count("/rate?currency=EUR") + server.count("/rate?currency=USD") + server.count("/rate") == 2
    assert (await engine.ending(again)).output == (await engine.ending(first)).output
    event = await engine.event(again, EventKind.STEP_COMPLETED, "rate")
    assert event.payload["cached"] is True
    assert "cached" not in (await engine.event(other, EventKind.STEP_COMPLETED, "rate")).payload


async def test_a_kept_result_is_the_tenant_s_own_and_has_an_end(engine: EngineRoom, server: LocalServer) -> None:
    definition = flow(
        replace(http("rate", f"{server.url}/rate"), cache={"ttl": 60, "key": "{{ input.key }}"}), "start > rate"
    )
    one, stranger = await engine.publish(definition), await engine.publish(definition)
    await engine.over(await engine.start(one, {"key": "a", "at": 1}))
    await engine.over(await engine.start(one, {"key": "a", "at": 2}))
    assert server.count("/rate") == 1
    await engine.over(await engine.start(stranger, {"key": "a"}))
    assert server.count("/rate") == 2

    redis: Any = engine.arq
    kept = await redis.keys(f"weir:{one.tenant_id}:result:*")
    assert [0 < await redis.pttl(key) <= 60_000 for key in kept] == [True]
    assert await redis.delete(*kept) == 1
    await engine.over(await engine.start(one, {"key": "a"}))
    assert server.count("/rate") == 3


async def test_a_failure_is_not_kept(engine: EngineRoom, server: LocalServer) -> None:
    server.reply("/rate", answer(status=400), answer({"rate": 1}))
    published = await engine.publish(
        flow(replace(http("rate", f"{server.url}/rate"), cache={"ttl": 60}), "start > rate")
    )
    assert (await engine.ending(await engine.start(published))).status == "FAILED"
    assert (await engine.ending(await engine.start(published))).status == "COMPLETED"


async def test_a_step_that_must_not_run_twice_says_that_it_begins(engine: EngineRoom, server: LocalServer) -> None:
    node = replace(http("pay", f"{server.url}/pay"), at_most_once=True)
    execution = await engine.run(flow(node, "start > pay"))
    assert (await engine.ending(execution)).status == "COMPLETED"
    assert await engine.trail(execution) == [
        ("STEP_COMPLETED", "start"),
        ("STEP_STARTED", "pay"),
        ("STEP_COMPLETED", "pay"),
        ("EXECUTION_COMPLETED", None),
    ]


async def test_a_step_that_must_not_run_twice_fails_when_its_worker_is_lost(
    room: EngineRoom, server: LocalServer
) -> None:
    server.hold("/pay")
    node = replace(http("pay", f"{server.url}/pay"), at_most_once=True, retry=AT_ONCE)
    published = await room.publish(flow(node, "start > pay"))
    async with room.running() as lost:
        execution = await room.start(published)
        await server.has("/pay")
        await room.lose(execution)
        await lost.executor.drain(0.0)
    async with room.running():
        ending = await room.ending(execution)
    assert (ending.status, ending.code) == ("FAILED", "OUTCOME_UNKNOWN")
    assert server.count("/pay") == 1
