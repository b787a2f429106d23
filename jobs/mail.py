"""Hears for which executions something was posted: every worker does, for only the one that holds it can read it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, cast
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import ExecutionId
from jobs.queue import MAIL

log = logging.getLogger("weir.queue")


async def listen_for_mail(redis: Redis, called: Callable[[Iterable[ExecutionId]], None]) -> None:
    """Never returns. What is missed while Redis is away, the executor's slow look finds."""
    while True:
        pubsub: Any = cast("Any", redis).pubsub()
        try:
            await pubsub.subscribe(MAIL)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    called([ExecutionId(UUID(text)) for text in orjson.loads(message["data"])])
        except (RedisError, OSError) as error:
            log.warning("the mail of executions is not heard, trying again: %s", error)
        finally:
            await pubsub.aclose()
        await asyncio.sleep(0.5)
