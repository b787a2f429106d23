"""The http node behind the circuit breaker of a real Redis: what counts against a service, and what does not."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import uuid_utils.compat as uuid
from redis.asyncio import Redis

from app.stack import Stack
from domain.engine.outcomes import Completed, Failed
from domain.ids import TenantId
from domain.json import JSON
from jobs.breakers import Breaker, BreakerLimits, Breakers
from tests.unit.http_server import Answer, Server, http_server
from tests.unit.node_world import NodeWorld, node_world


@dataclass(frozen=True)
class Place:
    world: NodeWorld
    server: Server

    async def codes(self, times: int, **config: JSON) -> list[str]:
        """How each of so many requests ended."""
        outcomes = [await self.world.run("http", {"url": f"{self.server.url}/x", **config}) for _ in range(times)]
        assert all(isinstance(each, Completed | Failed) for each in outcomes)
        return [each.code if isinstance(each, Failed) else "" for each in outcomes]


@pytest.fixture
async def place(stack: Stack) -> AsyncGenerator[Place]:
    """Two failures in a row open a circuit."""
    redis = cast("Any", Redis).from_url(stack.redis_url)
    breakers, tenant = Breakers(redis, BreakerLimits(failures=2)), TenantId(uuid.uuid7())

    def breaker(_: TenantId) -> Breaker:
        return breakers.of(tenant)

    async with http_server() as server, node_world(allow=(server.host,), max_response_bytes=1_000) as world:
        yield Place(replace(world, supplies=replace(world.supplies, breaker=breaker)), server)
    await redis.aclose()


async def test_a_host_that_keeps_failing_is_asked_no_more_for_a_while(place: Place) -> None:
    place.server.answers["/x"] = Answer(status=503)

    outcomes = await place.codes(4)
    elsewhere = await place.world.run("http", {"url": f"{place.server.url}/other"})

    assert outcomes == ["HTTP_STATUS", "HTTP_STATUS", "CIRCUIT_OPEN", "CIRCUIT_OPEN"]
    assert isinstance(elsewhere, Failed)
    assert (elsewhere.code, elsewhere.retryable) == ("CIRCUIT_OPEN", True)
    assert 0 < (elsewhere.retry_after or 0) <= 30
    assert len(place.server.received) == 2


@pytest.mark.parametrize(
    ("answer", "config", "code"),
    [
        (Answer(status=404), {}, "HTTP_STATUS"),
        (Answer(status=503), {"expect": [503]}, ""),
        (Answer(body=b"x" * 2_000), {"responseType": "text"}, "RESPONSE_TOO_LARGE"),
        (Answer(body=b"<"), {"responseType": "json"}, "RESPONSE_NOT_JSON"),
    ],
)
async def test_what_is_not_the_services_fault_does_not_count_against_it(
    place: Place, answer: Answer, config: dict[str, JSON], code: str
) -> None:
    place.server.answers["/x"] = answer

    assert await place.codes(4, **config) == [code] * 4


async def test_an_answer_that_breaks_off_counts_against_the_service(place: Place) -> None:
    place.server.answers["/x"] = Answer(headers={"content-length": "100"}, body=b"x")

    assert await place.codes(3) == ["CONNECTION_FAILED", "CONNECTION_FAILED", "CIRCUIT_OPEN"]
