"""Who is counted with whom, and what they may ask: changes when a rate is added or what is told of rates changes.

The narrowest rate comes first, so that a key which asks too much takes nothing of what its tenant may ask.
"""

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem
from domain.errors import Unauthenticated
from domain.ids import TenantId
from domain.quotas import QuotaStore
from domain.rates import Allowance, Rate, RateLimited, RateLimiter, Request, Standing
from domain.sources import Clock
from domain.tenancy import ActorKind, Principal
from resolvers.context import RequestContext
from schema.transport import Authenticate

BELIEVED_FOR = 5.0
"""Seconds after which this process notices what was set for a tenant."""
_REMEMBERED = 10_000
_STATE = "weir.rates"
_UNCOUNTED = ("/healthz", "/readyz", "/metrics", "/static/")
_SIGNED_IN = ("/graphql", "/api/")
"""Where callers prove who they are, and are counted once that is known."""

Standings = dict[Rate, Standing]


class Allowances:
    """What a tenant's callers may ask: what was set for it, else the default. `maxima` None: any number."""

    def __init__(self, maxima: Mapping[Rate, int | None], window: int, store: QuotaStore, clock: Clock) -> None:
        self._maxima = maxima
        self._window = window
        self._store = store
        self._clock = clock
        self._known: dict[TenantId, tuple[float, Mapping[str, int | None]]] = {}

    def default(self, rate: Rate) -> Allowance | None:
        return self._allowance(rate, self._maxima.get(rate))

    async def of(self, tenant_id: TenantId, rates: Sequence[Rate]) -> Sequence[Allowance]:
        own = await self._own(tenant_id)
        maxima = [(rate, own.get(rate.setting, self._maxima.get(rate))) for rate in rates]
        return [each for rate, most in maxima if (each := self._allowance(rate, most)) is not None]

    def _allowance(self, rate: Rate, maximum: int | None) -> Allowance | None:
        return None if maximum is None else Allowance(rate=rate, maximum=maximum, window=self._window)

    async def _own(self, tenant_id: TenantId) -> Mapping[str, int | None]:
        now = self._clock().timestamp()
        known = self._known.get(tenant_id)
        if known is not None and known[0] > now:
            return known[1]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        own = await self._store.of(tenant_id)
        self._known[tenant_id] = (now + BELIEVED_FOR, own)
        return own


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerMeter:
    """Implements `domain.rates.Meter`. Over a WebSocket each operation is a request."""

    limiter: RateLimiter
    allowances: Allowances
    principal: Principal
    connection: HTTPConnection

    async def request(self) -> None:
        """Count a request. Raises RateLimited."""
        await self._take(await self._requests())

    async def charge(self, cost: int) -> Sequence[Standing]:
        costs = await self.allowances.of(self.principal.tenant_id, [Rate.COST])
        wanted = [Request(allowance=each, subject=str(self.principal.tenant_id), amount=cost) for each in costs]
        if self.connection.scope["type"] == "websocket":
            wanted = [*await self._requests(), *wanted]
        await self._take(wanted)
        return list(standings_of(self.connection.scope).values())

    async def _requests(self) -> Sequence[Request]:
        actor, tenant = self.principal.actor, str(self.principal.tenant_id)
        caller = Rate.KEY if actor.kind is ActorKind.API_KEY else Rate.USER
        subjects = {caller: str(actor.id), Rate.ROUTE: f"{tenant} {route_of(self.connection)}", Rate.TENANT: tenant}
        allowances = await self.allowances.of(self.principal.tenant_id, list(subjects))
        return [Request(allowance=each, subject=subjects[each.rate]) for each in allowances]

    async def _take(self, requests: Sequence[Request]) -> None:
        await take(self.connection.scope, self.limiter, requests)


class Throttled:
    """`schema.transport.Authenticate` that counts: the caller it lets in, or the address of the one it does not."""

    def __init__(
        self, authenticate: Authenticate[RequestContext], limiter: RateLimiter, allowances: Allowances
    ) -> None:
        self._authenticate = authenticate
        self._limiter = limiter
        self._allowances = allowances

    async def __call__(self, connection: HTTPConnection, credentials: str | None) -> RequestContext:
        """Raises RateLimited, Unauthenticated."""
        try:
            context = await self._authenticate(connection, credentials)
        except Unauthenticated:
            await take_of_address(connection.scope, self._limiter, self._allowances)
            raise
        meter = CallerMeter(
            limiter=self._limiter,
            allowances=self._allowances,
            principal=context.principal,
            connection=connection,
        )
        await meter.request()
        return replace(context, meter=meter)


class Throttle:
    """ASGI middleware: tells callers what they have left, and counts by address where nobody signs in."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, allowances: Allowances) -> None:
        self._app = app
        self._limiter = limiter
        self._allowances = allowances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _begins(scope, _UNCOUNTED):
            await self._app(scope, receive, send)
            return
        standings_of(scope)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers_of(standings_of(scope).values()))
            await send(message)

        try:
            if not _begins(scope, _SIGNED_IN):
                await take_of_address(scope, self._limiter, self._allowances)
        except RateLimited as refusal:
            await problem(refusal)(scope, receive, telling)
            return
        await self._app(scope, receive, telling)


async def take(scope: Scope, limiter: RateLimiter, requests: Sequence[Request]) -> None:
    """Take all of it, and remember what is left for the answer's headers. Raises RateLimited."""
    taken = await limiter.take(requests)
    standings_of(scope).update({each.allowance.rate: each for each in taken.standings})
    if taken.refused is not None:
        raise RateLimited(taken.refused)


async def take_of_address(scope: Scope, limiter: RateLimiter, allowances: Allowances) -> None:
    """Raises RateLimited."""
    allowance = allowances.default(Rate.ADDRESS)
    if allowance is not None:
        await take(scope, limiter, [Request(allowance=allowance, subject=address_of(scope))])


def standings_of(scope: Scope) -> Standings:
    """What is known of this request's rates, to be added to."""
    state = cast("dict[str, Standings]", scope.setdefault("state", {}))
    return state.setdefault(_STATE, {})


def headers_of(standings: Iterable[Standing]) -> Mapping[str, str]:
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10); nothing without standings."""
    known = list(standings)
    if not known:
        return {}
    policies = (
        f'"{each.allowance.rate.policy}";q={each.allowance.maximum};w={each.allowance.window}' for each in known
    )
    left = (f'"{each.allowance.rate.policy}";r={each.remaining};t={math.ceil(each.reset)}' for each in known)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def address_of(scope: Scope) -> str:
    """The caller's address; of IPv6 the /64, which is what one customer of a provider has."""
    client = cast("tuple[str, int] | None", scope.get("client"))
    host = client[0] if client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def route_of(connection: HTTPConnection) -> str:
    """Method and path as the route is written, without its parameters' values."""
    method = connection.scope.get("method", "WS")
    path: object = getattr(connection.scope.get("route"), "path", None)
    return f"{method} {path if isinstance(path, str) else connection.scope['path']}"


def _begins(scope: Scope, prefixes: Sequence[str]) -> bool:
    return str(scope["path"]).startswith(tuple(prefixes))
