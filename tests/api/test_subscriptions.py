"""Watching executions: nothing lost, nothing twice, an end; refusals before anything is shown."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from arq.connections import create_pool

from app.engine import Engine
from db.connections import EnginePool
from domain.access import Permission, Role
from jobs.queue import redis_settings
from tests.api.application import Application, Caller, new_caller
from tests.api.operations import ADDS, WAITS, finished, graph, published, started

WATCH = """subscription ($id: ID!, $after: Cursor) { executionEvents(id: $id, after: $after) {
  __typename
  ... on ExecutionEventBatch { cursor events { seq kind nodeId } }
  ... on ExecutionActivity { path nodeId attempt status }
  ... on StreamCaughtUp { cursor currentSteps { path status } }
  ... on StreamGap { resumeFrom }
  ... on StreamEnd { cursor ended: status } } }"""
SIGNAL = 'mutation ($id: ID!) { signalSend(executionId: $id, name: "go", payload: 1) { errors { code } } }'


@asynccontextmanager
async def stream(
    api: Application, caller: Caller, query: str, **variables: object
) -> AsyncGenerator[AsyncIterator[Any]]:
    """The results of a subscription, closed afterwards; every wait for one is bounded."""
    context = await api.context(caller.key)
    results = cast(
        "AsyncGenerator[Any, None]",
        await api.schema.subscribe(query, variable_values=variables, context_value=context),
    )

    async def bounded() -> AsyncIterator[Any]:
        while True:
            try:
                async with asyncio.timeout(15):
                    result = await anext(results)
            except StopAsyncIteration:
                return
            yield result

    try:
        yield bounded()
    finally:
        await results.aclose()


async def frames_of(results: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for result in results:
        assert result.errors is None, result.errors
        yield result.data["executionEvents"]


async def watched(api: Application, caller: Caller, execution_id: str, after: str | None = None) -> list[Any]:
    """Every frame until the stream ends by itself."""
    async with stream(api, caller, WATCH, id=execution_id, after=after) as results:
        return [frame async for frame in frames_of(results)]


async def refusal(api: Application, caller: Caller, query: str, **variables: object) -> dict[str, Any]:
    """The one error that answers instead of a stream."""
    context = await api.context(caller.key)
    answer = cast("Any", await api.schema.subscribe(query, variable_values=variables, context_value=context))
    if hasattr(answer, "errors"):
        (error,) = answer.errors
    else:
        (error,) = (await anext(answer)).errors
        await answer.aclose()
    return {"code": error.extensions["code"], "path": error.extensions.get("path")}


def seqs(frames: list[Any]) -> list[int]:
    return [int(event["seq"]) for frame in frames for event in frame.get("events", ())]


def kinds(frames: list[Any]) -> list[str]:
    return [frame["__typename"] for frame in frames]


async def test_a_finished_execution_is_replayed_whole_and_the_stream_ends(
    api: Application, worker: Engine, developer: Caller
) -> None:
    execution = await finished(developer, await published(developer), input={"a": 1, "b": 1})

    frames = await watched(api, developer, execution["id"])

    assert kinds(frames) == ["ExecutionEventBatch", "StreamCaughtUp", "StreamEnd"]
    assert seqs(frames) == list(range(1, len(seqs(frames)) + 1))
    assert frames[0]["events"][-1]["kind"] == "EXECUTION_COMPLETED"
    assert frames[1] == {"__typename": "StreamCaughtUp", "cursor": frames[0]["cursor"], "currentSteps": []}
    assert frames[2] == {"__typename": "StreamEnd", "cursor": frames[0]["cursor"], "ended": "COMPLETED"}


async def test_what_happens_later_is_shown_live_until_the_end(
    api: Application, worker: Engine, developer: Caller
) -> None:
    execution = await started(developer, await published(developer, WAITS))
    frames: list[Any] = []

    async with stream(api, developer, WATCH, id=execution["id"]) as results:
        async for frame in frames_of(results):
            frames.append(frame)
            waiting = any(event["kind"] == "WAITING" for event in frame.get("events", ()))
            if waiting:
                await developer.data(SIGNAL, id=execution["id"])

    assert seqs(frames) == list(range(1, len(seqs(frames)) + 1)), "no event is missing or doubled"
    assert kinds(frames).count("StreamCaughtUp") == 1
    assert frames[-1]["__typename"] == "StreamEnd"
    assert frames[-1]["ended"] == "COMPLETED"


async def test_a_watcher_goes_on_from_any_cursor_without_loss_or_double(
    api: Application, worker: Engine, developer: Caller
) -> None:
    execution = await finished(developer, await published(developer), input={"a": 1, "b": 1})
    listed = await developer.data(
        "query ($id: ID!) { execution(id: $id) { events { edges { cursor node { seq } } } } }", id=execution["id"]
    )
    edges = listed["execution"]["events"]["edges"]
    total = len(edges)

    for edge in edges:
        frames = await watched(api, developer, execution["id"], after=edge["cursor"])
        assert seqs(frames) == list(range(int(edge["node"]["seq"]) + 1, total + 1))
        assert kinds(frames)[-2:] == ["StreamCaughtUp", "StreamEnd"]


async def test_long_logs_come_in_batches_of_at_most_a_hundred(
    api: Application, worker: Engine, developer: Caller
) -> None:
    chain = graph(*({"id": f"n{i}", "kind": "set", "config": {"values": {"i": i}}} for i in range(250)))
    execution = await finished(developer, await published(developer, chain))

    frames = await watched(api, developer, execution["id"])

    sizes = [len(frame["events"]) for frame in frames if frame["__typename"] == "ExecutionEventBatch"]
    assert sum(sizes) >= 252
    assert max(sizes) == 100
    assert seqs(frames) == list(range(1, sum(sizes) + 1))


async def test_the_caught_up_frame_shows_what_runs_now(api: Application, worker: Engine, developer: Caller) -> None:
    execution = await started(developer, await published(developer, WAITS))
    async with stream(api, developer, WATCH, id=execution["id"]) as results:
        async for frame in frames_of(results):
            if any(event["kind"] == "WAITING" for event in frame.get("events", ())):
                break

    async with stream(api, developer, WATCH, id=execution["id"]) as results:
        shown = [frame async for frame in _first(frames_of(results), 2)]

    assert shown[1]["currentSteps"] == [{"path": "hold", "status": "WAITING"}]


async def test_a_killed_redis_connection_costs_no_event(
    api: Application, worker: Engine, developer: Caller, redis_url: str
) -> None:
    execution = await started(developer, await published(developer, WAITS))
    frames: list[Any] = []

    async with stream(api, developer, WATCH, id=execution["id"]) as results:
        async for frame in frames_of(results):
            frames.append(frame)
            if any(event["kind"] == "WAITING" for event in frame.get("events", ())):
                await _kill_subscriptions(redis_url)
                await developer.data(SIGNAL, id=execution["id"])

    assert seqs(frames) == list(range(1, len(seqs(frames)) + 1))
    assert frames[-1]["ended"] == "COMPLETED"


async def test_ids_and_cursors_that_lead_nowhere_are_refused(
    api: Application, worker: Engine, developer: Caller, stranger: Caller
) -> None:
    workflow_id = await published(developer, ADDS)
    one = await finished(developer, workflow_id, input={"a": 1, "b": 1})
    other = await finished(developer, workflow_id, input={"a": 1, "b": 1})
    foreign = (await watched(api, developer, other["id"]))[-1]["cursor"]
    missing = "execution_00000000000000000000000000"

    told = [
        await refusal(api, developer, WATCH, id=missing),
        await refusal(api, stranger, WATCH, id=one["id"]),
        await refusal(api, developer, WATCH, id=workflow_id),
        await refusal(api, developer, WATCH, id=one["id"], after=foreign),
        await refusal(api, developer, WATCH, id=one["id"], after="nonsense"),
    ]

    assert told == [
        {"code": "NOT_FOUND", "path": ["id"]},
        {"code": "NOT_FOUND", "path": ["id"]},
        {"code": "INVALID_ID", "path": ["id"]},
        {"code": "VALIDATION", "path": ["after"]},
        {"code": "VALIDATION", "path": ["after"]},
    ]


async def test_watching_needs_the_permission_to_read_executions(
    api: Application, worker: Engine, developer: Caller, engine_pool: EnginePool, http: httpx.AsyncClient
) -> None:
    execution = await finished(developer, await published(developer), input={"a": 1, "b": 1})
    starter = await new_caller(engine_pool, http, developer.tenant, Role.SERVICE, scopes=(Permission.EXECUTION_START,))

    told = [
        await refusal(api, starter, WATCH, id=execution["id"]),
        await refusal(api, starter, "subscription { executions { refetch } }"),
    ]

    assert [each["code"] for each in told] == ["FORBIDDEN", "FORBIDDEN"]


@pytest.mark.parametrize("filtered", [False, True])
async def test_the_live_list_shows_changes_of_this_tenant_that_are_in_the_filter(
    api: Application, worker: Engine, developer: Caller, stranger: Caller, filtered: bool
) -> None:
    followed, other = await published(developer, name="Followed"), await published(developer, name="Other")
    theirs = await published(stranger)
    chosen = {"workflowId": followed, "status": ["COMPLETED"]} if filtered else None
    query = "subscription ($f: ExecutionFilter) { executions(filter: $f) { refetch execution { id status } } }"

    async with stream(api, developer, query, f=chosen) as results:
        first = asyncio.ensure_future(anext(results))
        await _followed(api, developer)
        await finished(stranger, theirs, input={"a": 1, "b": 1})
        expected: set[str] = set()
        for workflow_id in (other, followed):
            execution = await finished(developer, workflow_id, input={"a": 1, "b": 1})
            if workflow_id == followed or not filtered:
                expected.add(execution["id"])
        seen: set[str] = set()
        result = await first
        while True:
            change = result.data["executions"]
            assert change["refetch"] is False
            assert change["execution"]["id"] in expected
            if change["execution"]["status"] == "COMPLETED":
                seen.add(change["execution"]["id"])
            if seen == expected:
                break
            result = await anext(results)


async def _followed(api: Application, caller: Caller) -> None:
    """Returns once the tenant's changes are heard here: a second follower is acknowledged after the first."""
    async with api.services.feed.follow_tenant(caller.tenant.id):
        pass


async def _first(frames: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    async for frame in frames:
        yield frame
        count -= 1
        if not count:
            return


async def _kill_subscriptions(redis_url: str) -> None:
    redis: Any = await create_pool(redis_settings(redis_url))
    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await redis.aclose()
