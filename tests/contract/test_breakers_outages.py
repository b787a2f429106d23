"""Circuit breakers without Redis, or with one that does not answer: no call waits for it, none is refused."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from redis.asyncio import Redis

from app.stack import Stack
from domain.ids import TenantId
from jobs.breakers import Breakers
from tests.contract.circuits import KEY, LIMITS, Clock, fail, refusal, succeed


async def test_without_redis_every_circuit_counts_as_closed_and_that_is_logged_once(
    tmp_path: Path, tenant: TenantId, caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = Redis(unix_socket_path=str(tmp_path / "nobody.sock"))
    clock = Clock()
    breaker = Breakers(client, LIMITS, clock=clock).of(tenant)

    with caplog.at_level(logging.INFO, logger="weir.breakers"):
        for _ in range(5):
            await fail(breaker, 5)
            await succeed(breaker)
            clock.goes_on(1.0)
    await client.aclose()

    (line,) = caplog.messages
    assert line.startswith("Redis does not answer; circuit breakers count as closed: ")


async def test_a_redis_that_never_answers_holds_no_call_up_for_long(tenant: TenantId, tmp_path: Path) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    path = str(tmp_path / "silent.sock")
    silent = await asyncio.start_unix_server(hold, path)
    client: Any = Redis(unix_socket_path=path)
    breaker = Breakers(client, LIMITS).of(tenant)

    async with asyncio.timeout(2.5):
        for _ in range(20):
            await succeed(breaker)
            await fail(breaker)

    await client.aclose()
    silent.close()


async def test_when_redis_is_back_circuits_work_again(
    stack: Stack, tenant: TenantId, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    url = urlsplit(stack.redis_url)
    link = tmp_path / "redis.sock"
    client: Any = Redis(unix_socket_path=str(link), password=unquote(url.password or ""))
    clock = Clock()
    breaker = Breakers(client, LIMITS, clock=clock).of(tenant)
    await fail(breaker, 5)

    link.symlink_to(url.path)
    clock.goes_on(1.0)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="weir.breakers"):
        await fail(breaker, 3)
        await refusal(breaker)
    await client.aclose()

    assert caplog.messages == [
        "Redis answers again; circuit breakers work",
        f"{KEY} keeps failing for tenant {tenant}: circuit open",
    ]
