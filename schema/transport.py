"""What every GraphQL transport agrees on with the rest of Weir: changes when a caller's session or a bound does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self, TypeVar

from starlette.requests import HTTPConnection

from domain.errors import Unauthenticated


class Session(Protocol):
    """A caller who has been let in; what resolvers get as their context."""

    @property
    def expires_at(self) -> datetime | None:
        """When the credentials end, with a time zone; streams are closed then. None: they do not."""
        ...

    @property
    def may_introspect(self) -> bool: ...

    def renewed(self) -> Self:
        """The same caller with empty data loaders, for one operation or one event of a subscription."""
        ...


C = TypeVar("C", bound=Session)
C_co = TypeVar("C_co", bound=Session, covariant=True)


class Authenticate(Protocol[C_co]):
    async def __call__(self, connection: HTTPConnection, credentials: str | None) -> C_co:
        """The session for these credentials (a JWT or an API key, None when none were given).

        Called once for each HTTP request and once for each WebSocket. Raises `domain.errors.Unauthenticated`,
        or another Refusal when the caller is known and may not connect.
        """
        ...


class Clock(Protocol):
    def __call__(self) -> datetime: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """Sizes in bytes, times in seconds."""

    body_limit: int = 1024 * 1024
    message_limit: int = 256 * 1024
    init_timeout: float = 5.0
    operations_per_connection: int = 100
    heartbeat: float = 15.0
    allowed_origins: tuple[str, ...] = ()  # pages of other origins that may open a WebSocket


def credentials_in(headers: Mapping[str, str]) -> str | None:
    """The token of `authorization` (with or without "Bearer"), or the key of `x-api-key`; None without either.

    The names are written in small letters. Raises Unauthenticated for another scheme than Bearer.
    """
    given = headers.get("authorization")
    if given is None:
        return headers.get("x-api-key")
    match given.split():
        case [token] if token.lower() != "bearer":
            return token
        case [scheme, token] if scheme.lower() == "bearer":
            return token
        case _:
            remedy = "Send `Authorization: Bearer <token or API key>`."
            raise Unauthenticated("The authorization is of an unknown kind", remedy=remedy)


def seconds_left(session: Session, now: datetime) -> float | None:
    """How long the session still holds, at least 0; None when it does not end."""
    return None if session.expires_at is None else max((session.expires_at - now).total_seconds(), 0.0)
