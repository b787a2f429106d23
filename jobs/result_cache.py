"""Results of nodes kept for a while, so that the same question is not asked twice: in Redis, for one tenant at a time.

A cache and nothing more: without Redis every question is asked, and what it loses is asked again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.engine.outcomes import Completed, Outcome
from domain.expressions import Template, compile_value
from domain.graphs import Node
from domain.ids import TenantId
from domain.json import JSON, as_object

log = logging.getLogger("weir.results")

_PATIENCE = 0.25
"""Seconds in which Redis has to answer: a result is not worth more waiting."""
_MOST_BYTES = 1_000_000
"""Results larger than this are not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The `cache` of a node, made ready. `ttl` in seconds; `key` tells apart what config and input do not."""

    ttl: float
    key: Template | None


def cache_of(node: Node) -> Cache | None:
    """Its shape is validation's to say; raises KeyError, TypeError or ValueError for another, ExpressionError."""
    if node.cache is None:
        return None
    given = as_object(node.cache)
    ttl, key = given["ttl"], given.get("key")
    if not isinstance(ttl, int | float):
        raise TypeError("a cache's ttl is a number")
    return Cache(ttl=ttl, key=compile_value(key) if key is not None else None)


def result_key(kind: str, about: JSON) -> str:
    """The name of a result: of a node of this kind, `about` all that it depends on."""
    return hashlib.sha256(orjson.dumps([kind, about], option=orjson.OPT_SORT_KEYS)).hexdigest()


async def kept_or(run: Callable[[], Awaitable[Outcome]], *, key: str, ttl: float, results: "Results") -> Outcome:
    """The result kept under the key, or what running comes to, which is kept when it is a mere result."""
    kept = await results.get(key)
    if kept is not None:
        return kept
    outcome = await run()
    if isinstance(outcome, Completed) and not (outcome.cancels or outcome.terminates or outcome.deadline):
        await results.put(key, outcome, ttl)
    return outcome


class Results(Protocol):
    """One tenant's kept results."""

    async def get(self, key: str) -> Completed | None:
        """What was kept under the key, marked as such; None when nothing is there."""
        ...

    async def put(self, key: str, result: Completed, ttl: float) -> None:
        """Keep it for `ttl` seconds."""
        ...


class NoResults:
    """Keeps nothing."""

    async def get(self, key: str) -> Completed | None:
        return None

    async def put(self, key: str, result: Completed, ttl: float) -> None:
        return


class RedisResults:
    """Implements `Results`."""

    def __init__(self, redis: Redis, tenant: TenantId) -> None:
        self._redis: Any = redis  # redis-py's types are incomplete
        self._prefix = f"weir:{tenant}:result:"

    async def get(self, key: str) -> Completed | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                stored = await self._redis.get(self._prefix + key)
            return _from_json(orjson.loads(stored)) if stored is not None else None
        except (RedisError, OSError, TimeoutError, ValueError, KeyError) as error:
            log.warning("a kept result could not be read: %s", error)
            return None

    async def put(self, key: str, result: Completed, ttl: float) -> None:
        document = orjson.dumps(_to_json(result))
        if len(document) > _MOST_BYTES:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._redis.set(self._prefix + key, document, px=max(1, int(ttl * 1000)))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("a result could not be kept: %s", error)


def _to_json(result: Completed) -> Mapping[str, object]:
    return {
        "output": result.output,
        "handles": result.handles,
        "outputs": result.outputs,
        "variables": result.variables,
        "decision": result.decision,
    }


def _from_json(document: Any) -> Completed:
    return Completed(
        output=document["output"],
        handles=tuple(document["handles"]),
        outputs=document["outputs"],
        variables=document["variables"],
        decision=document["decision"],
        cached=True,
    )
