"""Access tokens: what a signed JWT (RFC 7519) of ours says, and how it is believed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OctKey

from app.master_keys import MasterKeys
from domain.errors import InvalidId, Unauthenticated
from domain.ids import SessionId, TenantId, UserId, decode, encode, split
from domain.sessions import Identity
from domain.sources import Clock, Ids
from domain.tenancy import ActorKind

ALGORITHM = "HS256"
ISSUER = "weir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who (`subject` is a user or an API key), for which tenant, until when; a user by which session."""

    kind: ActorKind
    subject: UUID
    user_id: UserId | None
    tenant_id: TenantId
    expires_at: datetime
    session_id: SessionId | None = None


class Tokens:
    """Signs access tokens with a key derived from the current master key; believes what any known one has signed."""

    def __init__(self, master_keys: MasterKeys, *, life: timedelta, clock: Clock, ids: Ids) -> None:
        self._master_keys = master_keys
        self._clock = clock
        self._ids = ids
        self.life = life

    def issue(self, identity: Identity) -> tuple[str, datetime]:
        """A token for this identity and when it ends, never later than the identity itself."""
        now, principal = self._clock(), identity.principal
        expires_at = min(now + self.life, principal.expires_at or datetime.max.replace(tzinfo=UTC))
        claims = {
            "iss": ISSUER,
            "sub": str(principal.actor),
            "tenant": encode("tenant", principal.tenant_id),
            "role": identity.role,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": self._ids().hex,
        }
        if identity.session_id is not None:
            claims["sid"] = encode("session", identity.session_id)
        return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, self._keys()[0]), expires_at

    def read(self, token: str) -> Claims:
        """Raises Unauthenticated for a token that is not ours, was changed, or is over."""
        try:
            claims = self._claims(token)
            kind, subject = split(str(claims["sub"]))
            found = Claims(
                kind=ActorKind(kind),
                subject=subject,
                user_id=UserId(subject) if kind == ActorKind.USER else None,
                tenant_id=TenantId(decode("tenant", str(claims["tenant"]))),
                expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
                session_id=SessionId(decode("session", str(claims["sid"]))) if kind == ActorKind.USER else None,
            )
        except (JoseError, InvalidId, KeyError, ValueError, TypeError, OverflowError) as error:
            raise Unauthenticated("The access token does not hold", remedy="Sign in again.") from error
        if claims.get("iss") != ISSUER or found.expires_at <= self._clock():
            raise Unauthenticated("The access token is over", remedy="Refresh it, or sign in again.")
        return found

    def _keys(self) -> Sequence[OctKey]:
        return [OctKey.import_key(key) for key in self._master_keys.derived("access token")]

    def _claims(self, token: str) -> Mapping[str, Any]:
        """Raises JoseError."""
        *others, last = self._keys()
        for key in others:
            with suppress(BadSignatureError):
                return jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        return jwt.decode(token, last, algorithms=[ALGORITHM]).claims
