"""Who is asking: credentials to an identity, the same for HTTP and WebSocket. Changes when a way of proving it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from starlette.requests import HTTPConnection

from app.origins import origin_of
from app.tokens import Claims, Tokens
from domain import apikeys, sessions
from domain.accounts import AccountStore
from domain.apikeys import ApiKeyStore
from domain.errors import Unauthenticated
from domain.ids import ApiKeyId, SessionId, UserId
from domain.sessions import Identity
from domain.sessions_kept import SessionStore
from domain.sources import Clock
from domain.tenancy import TenantStore
from resolvers.context import RequestContext

BELIEVED_FOR = timedelta(seconds=5)
"""How long a key, a session, a membership or a tenant may be revoked before this process notices."""
_REMEMBERED = 10_000

T = TypeVar("T")


@dataclass(slots=True)
class _Remembered(Generic[T]):
    """Values by key for a few seconds, so that a client's hundred requests a second look them up once."""

    clock: Clock
    values: dict[object, tuple[datetime, T]] = field(default_factory=dict[object, "tuple[datetime, T]"])

    async def get(self, key: object, look_up: Callable[[], Awaitable[T]]) -> T:
        now = self.clock()
        known = self.values.get(key)
        if known is not None and known[0] > now:
            return known[1]
        if len(self.values) >= _REMEMBERED:
            self.values.clear()
        value = await look_up()
        self.values[key] = (now + BELIEVED_FOR, value)
        return value


class Authenticator:
    """`schema.transport.Authenticate`: makes the one context a request or connection has."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        accounts: AccountStore,
        kept: SessionStore,
        keys: ApiKeyStore,
        tenants: TenantStore,
        clock: Clock,
        context: Callable[[Identity], RequestContext],
    ) -> None:
        self._tokens = tokens
        self._accounts = accounts
        self._sessions = kept
        self._keys = keys
        self._tenants = tenants
        self._clock = clock
        self._context = context
        self._known: _Remembered[Identity] = _Remembered(clock)

    async def __call__(self, connection: HTTPConnection, credentials: str | None) -> RequestContext:
        """Raises Unauthenticated."""
        identity = await self.identify(credentials)
        allowed = identity.asking_from(connection.client.host if connection.client else None)
        return replace(self._context(allowed), origin=origin_of(connection))

    async def identify(self, credentials: str | None) -> Identity:
        """Who holds these credentials; raises Unauthenticated when there are none or they do not hold."""
        if not credentials:
            raise Unauthenticated(
                "Credentials are missing",
                remedy="Send `Authorization: Bearer <token or API key>`; POST /auth/token gives a token.",
            )
        key = apikeys.parse(credentials)
        if key is not None:
            return await self._by_key(*key)
        claims = self._tokens.read(credentials)
        if claims.session_id is not None:
            return await self._by_session(claims, claims.session_id)
        return await self._by_key_token(claims)

    async def _by_key(self, key_id: ApiKeyId, secret: str) -> Identity:
        async def look_up() -> Identity:
            identity, key = await sessions.key_identity(
                key_id, secret, keys=self._keys, tenants=self._tenants, now=self._clock()
            )
            await sessions.touch(key, self._keys, self._clock())
            return identity

        # The digest stands for the secret: what is remembered for one secret is never given to another.
        identity = await self._known.get((key_id, apikeys.digest(secret)), look_up)
        return _in_force(identity, self._clock())

    async def _by_session(self, claims: Claims, session_id: SessionId) -> Identity:
        user_id, tenant_id = UserId(claims.subject), claims.tenant_id

        async def look_up() -> Identity:
            return await sessions.session_standing(
                session_id,
                user_id,
                tenant_id,
                accounts=self._accounts,
                sessions=self._sessions,
                now=self._clock(),
            )

        return _until(await self._known.get((user_id, tenant_id, session_id), look_up), claims.expires_at)

    async def _by_key_token(self, claims: Claims) -> Identity:
        key_id = ApiKeyId(claims.subject)

        async def look_up() -> Identity:
            return await sessions.key_standing(key_id, keys=self._keys, tenants=self._tenants, now=self._clock())

        return _until(await self._known.get(key_id, look_up), claims.expires_at)


def _until(identity: Identity, end: datetime) -> Identity:
    """The identity for as long as the token that proves it."""
    return replace(identity, principal=replace(identity.principal, expires_at=end))


def _in_force(identity: Identity, now: datetime) -> Identity:
    end = identity.principal.expires_at
    if end is not None and end <= now:
        raise Unauthenticated("The API key is over", remedy="Get a new one.")
    return identity
