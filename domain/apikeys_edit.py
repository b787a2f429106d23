"""What administrators do with their tenant's API keys: make them, let another take their place, end them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from domain.access import Permission, Role, check_scopes, permissions_of
from domain.apikeys import ApiKey, Secret, digest, spell
from domain.errors import Conflict, Invalid, InvalidState, NotFound
from domain.ids import ApiKeyId, encode
from domain.networks import check_networks
from domain.sources import Ids
from domain.storable import checked_text
from domain.tenancy import Principal

MAX_KEYS = 1_000
"""In force at once, of one tenant."""
MAX_NAME = 200
MAX_OVERLAP = timedelta(days=30)


class ApiKeyAdmin(Protocol):
    """The keys of one tenant."""

    async def all(self) -> Sequence[ApiKey]:
        """Newest first, those that are over too."""
        ...

    async def get(self, key_id: ApiKeyId) -> ApiKey | None: ...

    async def insert(self, key: ApiKey) -> None: ...

    async def rotate(self, old: ApiKeyId, ends: datetime, new: ApiKey) -> bool:
        """In one transaction: the new key, and the old one's earlier end; False when that was revoked meanwhile."""
        ...

    async def revoke(self, key_id: ApiKeyId, at: datetime) -> ApiKey | None:
        """The key as it is then; one revoked before keeps its time. None when there is no such key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """`scopes` empty: everything the role allows. `expires_at` None: it does not end by itself."""

    name: str
    role: Role
    scopes: Sequence[str] = ()
    expires_at: datetime | None = None
    allowed_ips: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaking:
    """What making a key needs: the tenant's keys, who makes it, and where ids, secrets and the time come from."""

    keys: ApiKeyAdmin
    by: Principal
    ids: Ids
    secret: Secret
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """`text` is shown this once."""

    key: ApiKey
    text: str

    @property
    def id(self) -> ApiKeyId:
        return self.key.id


async def create(new: NewKey, *, given: KeyMaking) -> MadeKey:
    """Raises Invalid for a field that cannot be, also for what its maker may not do, and Conflict for one too many."""
    name = checked_text(new.name.strip(), "name", most=MAX_NAME, least=1)
    scopes = tuple(scope.value for scope in check_scopes(new.scopes))
    _refuse_more_than_own(permissions_of(new.role, scopes), given.by)
    key, text = _made(
        ApiKey(
            id=ApiKeyId(given.ids()),
            tenant_id=given.by.tenant_id,
            name=name,
            role=new.role,
            scopes=scopes,
            secret_hash=b"",
            created_at=given.now,
            expires_at=_future(new.expires_at, given.now),
            allowed_ips=check_networks(new.allowed_ips, "allowedIps"),
            created_by=str(given.by.actor),
        ),
        given.secret,
    )
    await _refuse_one_too_many(given)
    await given.keys.insert(key)
    return MadeKey(key=key, text=text)


async def rotate(key_id: ApiKeyId, overlap: float, expires_at: datetime | None, *, given: KeyMaking) -> MadeKey:
    """A key like that one; both are in force for `overlap` seconds, then the old one is over.

    Without `expires_at` it lives as long as the old one was to live. Raises NotFound, InvalidState, Invalid, Conflict.
    """
    old = await given.keys.get(key_id)
    if old is None:
        raise NotFound("apikey", encode("apikey", key_id), path=("id",))
    if not old.in_force(given.now):
        raise _over()
    if not 0 <= overlap <= MAX_OVERLAP.total_seconds():
        raise Invalid("The keys overlap for 0 seconds to 30 days", path=("overlap",))
    _refuse_more_than_own(old.permissions, given.by)
    life = None if old.expires_at is None else old.expires_at - old.created_at
    end = _future(expires_at, given.now) or (None if life is None else given.now + life)
    fresh = replace(
        old,
        id=ApiKeyId(given.ids()),
        created_at=given.now,
        created_by=str(given.by.actor),
        expires_at=end,
        last_used_at=None,
        replaces=old.id,
    )
    key, text = _made(fresh, given.secret)
    await _refuse_one_too_many(given)
    if not await given.keys.rotate(old.id, given.now + timedelta(seconds=overlap), key):
        raise _over()
    return MadeKey(key=key, text=text)


async def revoke(key_id: ApiKeyId, *, keys: ApiKeyAdmin, now: datetime) -> ApiKey:
    """The key, over from now on; revoking it again changes nothing. Raises NotFound."""
    revoked = await keys.revoke(key_id, now)
    if revoked is None:
        raise NotFound("apikey", encode("apikey", key_id), path=("id",))
    return revoked


def _made(key: ApiKey, secret: Secret) -> tuple[ApiKey, str]:
    text = secret()
    return replace(key, secret_hash=digest(text)), spell(key.id, text)


def _future(moment: datetime | None, now: datetime) -> datetime | None:
    if moment is not None and moment <= now:
        raise Invalid("A key ends in the future", path=("expiresAt",))
    return moment


def _refuse_more_than_own(permissions: frozenset[Permission], by: Principal) -> None:
    beyond = sorted(permissions - by.permissions)
    if beyond:
        raise Invalid(
            f"Nobody gives what they do not have: {', '.join(beyond)}",
            path=("scopes",),
            remedy="Name the scopes the key needs, among your own.",
        )


async def _refuse_one_too_many(given: KeyMaking) -> None:
    in_force = sum(key.in_force(given.now) for key in await given.keys.all())
    if in_force >= MAX_KEYS:
        raise Conflict(f"There are {MAX_KEYS:,} keys in force already", remedy="Revoke those that nobody uses.")


def _over() -> InvalidState:
    return InvalidState("The key is over already", path=("id",), remedy="Make a new one.")
