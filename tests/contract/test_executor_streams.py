"""The `publish` node on real servers: what it writes, once, in order, for its own tenant."""

import uuid_utils.compat as uuid

from app.clock import utc_now
from db.connections import EnginePool
from db.streams import PostgresStreamDesk
from domain.json import JSON
from domain.streams import NewMessage
from tests.contract.engine_room import Ending, EngineRoom
from tests.contract.flows import flow, step

pytest_plugins = ["tests.contract.engine_fixture"]


async def messages(pool: EnginePool, tenant: object) -> list[tuple[JSON, ...]]:
    rows = await pool.fetch(
        """SELECT s.name, m.seq, m.key, m.payload #>> '{}' AS payload FROM stream AS s
           JOIN stream_message AS m ON m.stream_id = s.id WHERE s.tenant_id = $1 ORDER BY s.name, m.seq""",
        tenant,
    )
    return [tuple(row) for row in rows]


async def test_messages_are_numbered_in_the_order_in_which_they_were_published(engine: EngineRoom) -> None:
    node = step("tell", "publish", stream="orders", key="{{ input.customer }}", message="{{ input.text }}")
    published = await engine.publish(flow(node, "start > tell"))

    first = await engine.start(published, {"customer": "a", "text": "one"})
    assert await engine.ending(first) == Ending(status="COMPLETED", output={"stream": "orders", "seq": 1})
    second = await engine.start(published, {"customer": "b", "text": "two"})
    assert await engine.ending(second) == Ending(status="COMPLETED", output={"stream": "orders", "seq": 2})

    assert await messages(engine.pool, published.tenant_id) == [
        ("orders", 1, "a", "one"),
        ("orders", 2, "b", "two"),
    ]


async def test_a_step_that_runs_twice_publishes_once(room: EngineRoom) -> None:
    published = await room.publish(flow(step("tell", "publish", stream="s", message={"n": 1}), "start > tell"))
    execution = await room.start(published)
    async with room.running():
        assert (await room.ending(execution)).output == {"stream": "s", "seq": 1}
    desk = PostgresStreamDesk(room.pool, published.tenant_id, ids=uuid.uuid7, clock=utc_now)
    (key,) = await room.pool.fetch(
        "SELECT idempotency_key, published_by FROM stream_message WHERE tenant_id = $1", published.tenant_id
    )
    again = NewMessage(stream="s", payload={"n": 1}, published_by=key[1], idempotency_key=key[0])

    assert [await desk.publish(again), await desk.publish(again)] == [1, 1]
    assert len(await messages(room.pool, published.tenant_id)) == 1


async def test_many_at_once_leave_no_gap(engine: EngineRoom) -> None:
    node = step("tell", "publish", stream="busy", message="{{ input }}")
    published = await engine.publish(flow(node, "start > tell"))
    started = await engine.start_all(published, list(range(60)))
    await engine.over(*started)

    found = await messages(engine.pool, published.tenant_id)
    assert [seq for _, seq, _, _ in found] == list(range(1, 61))
    assert sorted(int(str(text)) for _, _, _, text in found) == list(range(60))


async def test_streams_of_one_name_are_each_tenant_s_own(engine: EngineRoom) -> None:
    definition = flow(step("tell", "publish", stream="orders", message="{{ input }}"), "start > tell")
    one, other = await engine.publish(definition), await engine.publish(definition)
    await engine.over(await engine.start(one, "mine"), await engine.start(other, "theirs"))

    assert await messages(engine.pool, one.tenant_id) == [("orders", 1, None, "mine")]
    assert await messages(engine.pool, other.tenant_id) == [("orders", 1, None, "theirs")]


async def test_a_name_that_cannot_be_fails_the_step(engine: EngineRoom) -> None:
    node = step("tell", "publish", stream="{{ input }}", message=1)
    execution = await engine.run(flow(node, "start > tell"), "x" * 201)
    assert (await engine.ending(execution)).code == "CONFIG_INVALID"
