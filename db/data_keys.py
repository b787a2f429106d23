"""Changes when tenants' data keys are made, wrapped or found in another way.

Every tenant has data keys, numbered by generation; the latest one seals, the others still open what they sealed. A
data key is stored wrapped by a key of the installation, which is derived from a master key, or held by a key management
service, and stored nowhere.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.envelope import CannotOpen, new_key
from db.key_wrapping import KeyWrapping, LocalKey
from db.statements import fetch
from domain.errors import InvalidState
from domain.ids import ConnectionId, TenantId

_KEPT = 1_000
_LATEST = """
SELECT generation, wrapped, wrapped_by FROM data_key WHERE tenant_id = $1 ORDER BY generation DESC LIMIT 1
"""
_INSERT_FIRST = """
INSERT INTO data_key (tenant_id, generation, wrapped, wrapped_by, created_at) VALUES ($1, 1, $2, $3, $4)
ON CONFLICT (tenant_id, generation) DO NOTHING
"""


class KeyLost(InvalidState):
    """What is stored was encrypted under another master key, or is damaged."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} cannot be decrypted",
            remedy="Give Weir the master key it was saved under (WEIR_MASTER_KEYS_OTHER), or set the secrets again.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A row of `data_key`; `wrapped_by` is the id of the key that wrapped it."""

    tenant_id: TenantId
    generation: int
    wrapped: bytes
    wrapped_by: bytes


class Keyring:
    """Wraps and unwraps data keys; remembers the unwrapped ones, which never change, within this process.

    `keys` gives those that are known now, at least one: the first wraps, every one of them unwraps what it has wrapped.
    """

    def __init__(self, keys: Callable[[], Sequence[KeyWrapping]]) -> None:
        self._keys = keys
        self._known: OrderedDict[WrappedKey, bytes] = OrderedDict()

    @classmethod
    def local(cls, *keys: bytes) -> "Keyring":
        """Of these keys, 32 bytes each, and no others."""
        known = [LocalKey(key) for key in keys]
        return cls(lambda: known)

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Those of the known keys, the one that wraps first."""
        return tuple(key.id for key in self._keys())

    async def wrap(self, tenant_id: TenantId, generation: int, data_key: bytes) -> WrappedKey:
        """Raises ConnectionError when what wraps is away."""
        first = self._keys()[0]
        wrapped = await first.wrap(data_key, _place(tenant_id, generation))
        return WrappedKey(tenant_id=tenant_id, generation=generation, wrapped=wrapped, wrapped_by=first.id)

    async def unwrap(self, stored: WrappedKey) -> bytes:
        """The data key; raises KeyLost, and ConnectionError when what unwraps is away."""
        known = self._known.get(stored)
        if known is not None:
            return known
        what = f"The tenant's data key {stored.generation}"
        wrapping = next((key for key in self._keys() if key.id == stored.wrapped_by), None)
        if wrapping is None:
            raise KeyLost(what)
        try:
            data_key = await wrapping.unwrap(stored.wrapped, _place(stored.tenant_id, stored.generation))
        except CannotOpen as error:
            raise KeyLost(what) from error
        if len(self._known) >= _KEPT:
            self._known.popitem(last=False)
        self._known[stored] = data_key
        return data_key


async def latest(tenant_id: TenantId, keyring: Keyring, now: datetime) -> tuple[int, bytes]:
    """The generation and the key that seals now; made when the tenant has none. Within the tenant's scope.

    Raises KeyLost.
    """
    found = await fetch(_LATEST, tenant_id)
    if not found:
        first = await keyring.wrap(tenant_id, 1, new_key())
        await fetch(_INSERT_FIRST, tenant_id, first.wrapped, first.wrapped_by, now)
        found = await fetch(_LATEST, tenant_id)  # another process may have been first
    (row,) = found
    stored = WrappedKey(
        tenant_id=tenant_id,
        generation=row["generation"],
        wrapped=bytes(row["wrapped"]),
        wrapped_by=bytes(row["wrapped_by"]),
    )
    return stored.generation, await keyring.unwrap(stored)


def _place(tenant_id: TenantId, generation: int) -> tuple[bytes, ...]:
    return (b"data key", tenant_id.bytes, generation.to_bytes(4))


def secret_place(tenant_id: TenantId, connection_id: ConnectionId, name: str) -> tuple[bytes, ...]:
    """Where a secret is bound to: at another tenant, connection or name it does not open."""
    return (b"connection secret", tenant_id.bytes, connection_id.bytes, name.encode())
