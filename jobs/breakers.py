"""The circuit breaker: a service that keeps failing is left alone for a while, by all workers together.

A circuit belongs to a tenant and a key, such as a host or a connection. It is closed until so many calls in a row,
within the window, have failed; then it is open, and calls are refused at once. After a while one call is let through,
the probe: its success closes the circuit, its failure opens it again. Should the probe's worker die, its lease runs out
and another call becomes the probe.

The state is in Redis, by whose clock it runs. Each worker remembers what it heard for a second, so a healthy service
costs next to nothing; without Redis every circuit counts as closed.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.engine.outcomes import Failed
from domain.ids import TenantId
from jobs.breakers_scripts import ADMIT, CLOSED, FAILED, OPENED, PROBE, RELEASED, SUCCEEDED

log = logging.getLogger("weir.breakers")

_HEARD_SECONDS = 1.0
"""How long an answer of Redis, or its silence, is relied on."""
_PATIENCE = 0.25
"""Seconds in which Redis has to answer."""
_MOST_KNOWN = 10_000
_USED_UP = 0.9
"""A cancelled call counts as failed when it had used this part of its time: it was the time that ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """`failures` in a row within `window` seconds open a circuit for `open_for` seconds; 0: it never opens.

    A probe that says nothing for `lease` seconds counts as lost.
    """

    failures: int = 10
    window: float = 60.0
    open_for: float = 30.0
    lease: float = 60.0


class CircuitOpen(Exception):
    """Nothing was sent; `retry_after` in seconds."""

    def __init__(self, key: str, retry_after: float) -> None:
        super().__init__(f"{key} failed so often that nothing is sent to it for {retry_after:.1f} s")
        self.key = key
        self.retry_after = retry_after

    def outcome(self) -> Failed:
        """What a node answers."""
        return Failed(
            code="CIRCUIT_OPEN",
            message=str(self),
            retryable=True,
            retry_after=self.retry_after,
            remedy="Check the service. Give the node a retry, which waits for it, or route the error.",
        )


class Verdict(StrEnum):
    """What a call says about the service."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOTHING = "nothing"


class Call:
    """One guarded call. Unless told otherwise it succeeded when its block ends and failed when that raises."""

    __slots__ = ("verdict",)

    def __init__(self) -> None:
        self.verdict: Verdict | None = None

    def failed(self) -> None:
        """The service answered that it cannot: a status of 503, too many connections."""
        self.verdict = Verdict.FAILED

    def ignored(self) -> None:
        """The call says nothing about the service: it was refused here, or the request was wrong."""
        self.verdict = Verdict.NOTHING


class Breaker(Protocol):
    """One tenant's circuits, as a step sees them."""

    def guard(self, key: str, timeout: float | None = None) -> AbstractAsyncContextManager[Call]:
        """Around a call to what `key` names: `host:port`, or a connection's id and revision.

        `timeout`: the seconds after which the call is cancelled from outside, if any; only then does a cancelled
        call count as failed. Raises CircuitOpen before the block is entered.
        """
        ...


@dataclass(slots=True)
class _Known:
    """What Redis said: until when that holds, by the local clock, and what it was."""

    until: float
    refused_until: float | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Circuit:
    """`tenant_id` and `key` are for people; `name` is Redis's key."""

    tenant_id: TenantId
    key: str

    @property
    def name(self) -> str:
        digest = blake2b(self.key.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"weir:breaker:{self.tenant_id.hex}:{digest}"


class Breakers:
    """One per process."""

    def __init__(
        self, redis: Redis, limits: BreakerLimits = BreakerLimits(), *, clock: Callable[[], float] = monotonic
    ) -> None:
        client: Any = redis  # redis-py's types of scripts are incomplete
        self._limits = limits
        self._clock = clock
        self._scripts = {each: client.register_script(each) for each in (ADMIT, FAILED, SUCCEEDED, RELEASED)}
        self._known: OrderedDict[_Circuit, _Known] = OrderedDict()
        self._away_until: float | None = None

    def of(self, tenant_id: TenantId) -> Breaker:
        return _TenantBreaker(tenant_id=tenant_id, breakers=self)

    @asynccontextmanager
    async def guard(self, tenant_id: TenantId, key: str, timeout: float | None = None) -> AsyncGenerator[Call]:
        """See `Breaker.guard`."""
        call = Call()
        if not self._limits.failures:
            yield call
            return
        circuit = _Circuit(tenant_id=tenant_id, key=key)
        token = await self._admitted(circuit)
        began = self._clock()
        verdict = Verdict.FAILED
        try:
            yield call
            verdict = Verdict.SUCCEEDED
        except asyncio.CancelledError:
            ran_out = timeout is not None and self._clock() - began >= timeout * _USED_UP
            verdict = Verdict.FAILED if ran_out else Verdict.NOTHING
            raise
        finally:
            await self._report(circuit, token, call.verdict or verdict)

    async def _admitted(self, circuit: _Circuit) -> str:
        """The probe's token, or nothing for an ordinary call. Raises CircuitOpen."""
        known = self._known.get(circuit)
        now = self._clock()
        if known is None or known.until <= now:
            token = uuid4().hex
            said = await self._ask(ADMIT, circuit, token, _ms(self._limits.lease))
            if said is not None and said[0] == PROBE:
                log.info("trying %s again for tenant %s", circuit.key, circuit.tenant_id)
                return token
            known = self._heard(circuit, said) if said is not None else None
        if known is not None and known.refused_until is not None:
            raise CircuitOpen(circuit.key, max(known.refused_until - now, 0.001))
        return ""

    async def _report(self, circuit: _Circuit, token: str, verdict: Verdict) -> None:
        limits = self._limits
        match verdict:
            case Verdict.FAILED:
                times = (_ms(limits.window), _ms(limits.open_for))
                said = await self._ask(FAILED, circuit, token, limits.failures, *times)
                if said is not None:
                    self._heard(circuit, said)
                    if said[0] == OPENED:
                        log.warning("%s keeps failing for tenant %s: circuit open", circuit.key, circuit.tenant_id)
            case Verdict.SUCCEEDED:
                known = self._known.get(circuit)
                if token or (known is not None and known.failures):
                    self._known.pop(circuit, None)
                    await self._ask(SUCCEEDED, circuit, token)
            case Verdict.NOTHING:
                if token:
                    await self._ask(RELEASED, circuit, token)

    def _heard(self, circuit: _Circuit, said: tuple[int, int]) -> _Known:
        """Remember the answer, the oldest forgotten for it."""
        code, amount = said
        now = self._clock()
        if code == CLOSED:
            known = _Known(until=now + _HEARD_SECONDS, failures=amount)
        else:
            wait = amount / 1000
            known = _Known(until=now + min(wait, _HEARD_SECONDS), refused_until=now + wait)
        self._known[circuit] = known
        self._known.move_to_end(circuit)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    async def _ask(self, script: str, circuit: _Circuit, *arguments: str | int) -> tuple[int, int] | None:
        """What the script answers; None while Redis is away."""
        if self._away_until is not None and self._clock() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE):
                code, amount = await self._scripts[script](keys=[circuit.name], args=arguments)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            if self._away_until is None:
                log.warning("Redis does not answer; circuit breakers count as closed: %s", error or type(error))
            self._away_until = self._clock() + _HEARD_SECONDS
            return None
        if self._away_until is not None:
            log.info("Redis answers again; circuit breakers work")
            self._away_until = None
        return int(code), int(amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TenantBreaker:
    """Implements Breaker."""

    tenant_id: TenantId
    breakers: Breakers

    def guard(self, key: str, timeout: float | None = None) -> AbstractAsyncContextManager[Call]:
        return self.breakers.guard(self.tenant_id, key, timeout)


class NoBreaker:
    """Implements Breaker where there is no Redis, as when a node is tried by itself: lets every call through."""

    @asynccontextmanager
    async def guard(self, key: str, timeout: float | None = None) -> AsyncGenerator[Call]:
        yield Call()


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
