"""Live messages over a real Redis: what is heard, over how many connections, and who is told what was not."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import uuid_utils.compat as uuid
from redis.asyncio import Redis

from domain.engine.events import Event, EventKind
from domain.engine.ports import Append, ExecutionStatus
from domain.engine.state import StepStatus
from domain.ids import ExecutionId, TenantId, WorkflowId
from domain.json import JSON
from domain.live import Activity, Changed, Events, Follower, LiveMessage, Lost
from jobs.event_codec import encode_activity, encode_events, execution_channel
from jobs.live_feed import RedisLiveFeed
from jobs.publisher import Publisher

pytest_plugins = ["tests.contract.engine_fixture"]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENCE = 10.0


def event(seq: int, kind: EventKind = EventKind.STEP_COMPLETED, **payload: JSON) -> Event:
    return Event(seq=seq, kind=kind, at=NOW, epoch=1, node="price", path="price", attempt=1, payload=payload)


@dataclass(slots=True, eq=False)
class Air:
    """A publisher and a feed that hear each other; `heads` is what the logs hold."""

    redis: Any
    publisher: Publisher
    feed: RedisLiveFeed
    name: str
    heads: dict[ExecutionId, int]
    tenant: TenantId = field(default_factory=lambda: TenantId(uuid.uuid7()))
    workflow: WorkflowId = field(default_factory=lambda: WorkflowId(uuid.uuid7()))

    def append(self, execution: ExecutionId, *events: Event) -> Append:
        return Append(execution_id=execution, tenant_id=self.tenant, workflow_id=self.workflow, epoch=1, events=events)

    def commit(self, execution: ExecutionId, *events: Event) -> None:
        self.publisher.committed([self.append(execution, each) for each in events])

    async def connections(self) -> list[dict[str, Any]]:
        """The feed's connections that are subscribed to something."""
        clients: list[dict[str, Any]] = await self.redis.client_list(_type="pubsub")
        return [client for client in clients if client["name"] == self.name]

    async def subscribers(self, execution: ExecutionId) -> int:
        answer: Any = await self.redis.pubsub_numsub(execution_channel(self.tenant, execution))
        return answer[0][1]


def redis_at(url: str, **options: str) -> Any:
    """Untyped, for redis-py's own annotations are incomplete."""
    return cast("Any", Redis).from_url(url, **options)


@asynccontextmanager
async def on_air(redis_url: str, feed_url: str | None = None) -> AsyncGenerator[Air]:
    """`feed_url`: another way to the same Redis, for the feed alone."""
    async with AsyncExitStack() as stack:
        name = f"feed-{uuid.uuid7().hex}"
        redis = await stack.enter_async_context(redis_at(redis_url))
        listening = await stack.enter_async_context(redis_at(feed_url or redis_url, client_name=name))
        heads: dict[ExecutionId, int] = {}

        async def look(ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, int]:
            return {each: heads[each] for each in ids if each in heads}

        publisher = Publisher(redis)
        stack.push_async_callback(publisher.close)
        feed = RedisLiveFeed(listening, look)
        feed.start()
        stack.push_async_callback(feed.close)
        yield Air(redis=redis, publisher=publisher, feed=feed, name=name, heads=heads)


@pytest.fixture
async def air(redis_of_engines: str) -> AsyncGenerator[Air]:
    async with on_air(redis_of_engines) as air:
        yield air


def new_execution() -> ExecutionId:
    return ExecutionId(uuid.uuid7())


async def told(follower: Follower) -> LiveMessage:
    return await asyncio.wait_for(follower.next(), PATIENCE)


async def seqs(follower: Follower, last: int) -> list[int | None]:
    """The seqs of what comes until `last`; None for being told that something may be missing."""
    heard: list[int | None] = []
    while not heard or heard[-1] != last:
        message = await told(follower)
        heard += [each.seq for each in message.events] if isinstance(message, Events) else [None]
    return heard


async def test_events_come_whole_and_in_order(air: Air) -> None:
    execution = new_execution()
    events = [event(1, output={"ä": [1, None]}), event(2), event(3)]
    async with air.feed.follow(air.tenant, execution) as follower:
        air.commit(execution, *events[:2])
        air.commit(execution, events[2])

        heard: list[Event] = []
        while len(heard) < 3:
            message = await told(follower)
            assert isinstance(message, Events)
            heard += message.events
    assert heard == events


async def test_a_beginning_step_is_an_activity(air: Air) -> None:
    execution = new_execution()
    async with air.feed.follow(air.tenant, execution) as follower:
        message = encode_activity("price#2", "price", 3, StepStatus.ACTIVE, NOW)
        await air.redis.publish(execution_channel(air.tenant, execution), message)

        assert await told(follower) == Activity(path="price#2", node="price", attempt=3, status="ACTIVE", at=NOW)


async def test_a_tenants_list_hears_of_changes_of_status_and_of_no_other_tenants(air: Air) -> None:
    execution, other = new_execution(), new_execution()
    stranger = Append(
        execution_id=other,
        tenant_id=TenantId(uuid.uuid7()),
        workflow_id=air.workflow,
        epoch=1,
        events=[event(2, EventKind.ADOPTED)],
    )
    async with air.feed.follow_tenant(air.tenant) as follower:
        air.publisher.committed([stranger])
        air.commit(execution, event(2, EventKind.ADOPTED), event(3), event(4, EventKind.EXECUTION_FAILED))

        heard = [await told(follower) for _ in range(2)]
    assert heard == [
        Changed(execution_id=execution, workflow_id=air.workflow, status=status, at=NOW)
        for status in (ExecutionStatus.RUNNING, ExecutionStatus.FAILED)
    ]


async def test_any_number_of_watchers_share_one_connection(air: Air) -> None:
    executions = [new_execution() for _ in range(10)]
    async with AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(air.feed.follow(air.tenant, execution))
            for execution in executions
            for _ in range(3)
        ]
        for execution in executions:
            air.commit(execution, event(1))

        assert [await seqs(follower, 1) for follower in followers] == [[1]] * 30
        assert len(await air.connections()) == 1
        assert {await air.subscribers(execution) for execution in executions} == {1}


async def test_the_last_watcher_to_leave_ends_the_subscription(air: Air) -> None:
    execution = new_execution()
    async with air.feed.follow(air.tenant, execution):
        async with air.feed.follow(air.tenant, execution):
            pass
        assert await air.subscribers(execution) == 1
    await gone(air, execution)


async def gone(air: Air, execution: ExecutionId) -> None:
    """Return once nobody is subscribed to the execution."""
    async with asyncio.timeout(PATIENCE):
        while await air.subscribers(execution):
            pass


async def test_who_comes_as_the_last_one_leaves_hears_everything(air: Air) -> None:
    execution = new_execution()
    for seq in range(1, 21):
        async with air.feed.follow(air.tenant, execution) as follower:
            air.commit(execution, event(seq))
            assert await seqs(follower, seq) == [seq]


async def test_a_watcher_who_leaves_before_being_let_in_leaves_nothing_behind(air: Air) -> None:
    executions = [new_execution() for _ in range(5)]
    async with air.feed.follow(air.tenant, new_execution()):

        async def enter(execution: ExecutionId) -> None:
            async with air.feed.follow(air.tenant, execution):
                pass

        for turns, execution in enumerate(executions):
            entering = asyncio.create_task(enter(execution))
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            await asyncio.wait([entering])
        for execution in executions:
            await gone(air, execution)


async def test_a_watcher_who_does_not_keep_up_is_told_to_read_the_log(air: Air) -> None:
    slow, execution = new_execution(), new_execution()
    async with air.feed.follow(air.tenant, slow) as follower, air.feed.follow(air.tenant, execution) as other:
        for seq in range(1, 1_501):
            await air.redis.publish(execution_channel(air.tenant, slow), encode_events([event(seq)]))
        air.commit(execution, event(1))
        assert await seqs(other, 1) == [1], "one connection: what was sent before has arrived"

        heard = await seqs(follower, 1_500)
    assert heard[0] is None
    assert heard[1:] == list(range(1_002, 1_501))


async def test_a_watcher_who_does_not_keep_up_holds_a_mebibyte_at_most(air: Air) -> None:
    slow, execution = new_execution(), new_execution()
    async with air.feed.follow(air.tenant, slow) as follower, air.feed.follow(air.tenant, execution) as other:
        for seq in range(1, 21):
            await air.redis.publish(
                execution_channel(air.tenant, slow), encode_events([event(seq, output="x" * 60_000)])
            )
        air.commit(execution, event(1))
        assert await seqs(other, 1) == [1], "one connection: what was sent before has arrived"

        assert await seqs(follower, 20) == [None, 19, 20]


async def test_events_too_large_for_the_air_are_a_hint_to_read_the_log(air: Air) -> None:
    execution = new_execution()
    async with air.feed.follow(air.tenant, execution) as follower:
        air.commit(execution, event(1, output="x" * 70_000))

        assert await told(follower) == Lost()


async def test_an_event_that_cannot_be_spelled_is_a_hint_and_harms_no_other(air: Air) -> None:
    odd, execution = new_execution(), new_execution()
    async with air.feed.follow(air.tenant, odd) as follower, air.feed.follow(air.tenant, execution) as other:
        air.publisher.committed([air.append(odd, event(1, output="\ud800")), air.append(execution, event(1))])

        assert await told(follower) == Lost()
        assert await seqs(other, 1) == [1]


async def test_after_a_broken_connection_everybody_is_told_and_hears_again(air: Air) -> None:
    executions = [new_execution() for _ in range(3)]
    async with AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(air.feed.follow(air.tenant, execution)) for execution in executions
        ]
        tenants = await stack.enter_async_context(air.feed.follow_tenant(air.tenant))
        (connection,) = await air.connections()
        await air.redis.client_kill_filter(_id=connection["id"])

        assert [await told(follower) for follower in (*followers, tenants)] == [Lost()] * 4
        for execution in executions:
            air.commit(execution, event(1, EventKind.ADOPTED))
        assert [await seqs(follower, 1) for follower in followers] == [[1]] * 3
        assert isinstance(await told(tenants), Changed)
        assert len(await air.connections()) == 1


async def test_what_was_written_but_never_announced_is_noticed(air: Air) -> None:
    behind, level = new_execution(), new_execution()
    async with air.feed.follow(air.tenant, behind) as follower, air.feed.follow(air.tenant, level) as content:
        air.commit(level, event(1))
        assert await seqs(content, 1) == [1]
        air.heads |= {behind: 3, level: 1}

        assert await told(follower) == Lost()
        air.commit(level, event(2))
        assert await seqs(content, 2) == [2], "who heard everything is told nothing"


@asynccontextmanager
async def way_that_opens_late(redis_url: str, refused: int) -> AsyncGenerator[str]:
    """A way to this Redis that hangs up on the first connections."""
    left = refused
    parts = urlsplit(redis_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        if left:
            left -= 1
            writer.transport.abort()
            return
        answers, server = await asyncio.open_unix_connection(parts.path)
        await asyncio.gather(_pipe(reader, server), _pipe(answers, writer))

    with tempfile.TemporaryDirectory() as directory:
        socket = str(Path(directory) / "redis")
        listener = await asyncio.start_unix_server(serve, socket)
        yield parts._replace(path=socket).geturl()
        listener.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


async def test_a_redis_that_is_away_at_the_start_is_waited_for(redis_of_engines: str) -> None:
    execution = new_execution()
    async with (
        way_that_opens_late(redis_of_engines, refused=2) as late,
        on_air(redis_of_engines, late) as air,
        air.feed.follow(air.tenant, execution) as follower,
    ):
        air.commit(execution, event(1))

        assert await seqs(follower, 1) == [1]


async def test_a_publisher_without_redis_stops_nobody() -> None:
    async with redis_at("unix:///nowhere/redis.sock") as redis:
        publisher = Publisher(redis)
        append = Append(execution_id=new_execution(), tenant_id=TenantId(uuid.uuid7()), epoch=1, events=[event(1)])
        publisher.committed([append])
        await publisher.close()
