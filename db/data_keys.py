"""Changes when tenants' data keys are made, wrapped or found in another way.

Every tenant has data keys, numbered by generation; the latest one seals, the others still open what they sealed. A
data key is stored wrapped by the key of the installation, which is derived from the master key and stored nowhere.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from db.envelope import CannotOpen, fingerprint, new_key, open_sealed, seal
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
            remedy="Start Weir with the master key it was saved under (WEIR_MASTER_KEY), or set the secrets again.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A row of `data_key`; `wrapped_by` is the fingerprint of the installation's key at that time."""

    tenant_id: TenantId
    generation: int
    wrapped: bytes
    wrapped_by: bytes


class Keyring:
    """Wraps and unwraps data keys; remembers the unwrapped ones, which never change, within this process."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fingerprint = fingerprint(key)
        self._known: OrderedDict[WrappedKey, bytes] = OrderedDict()

    def wrap(self, tenant_id: TenantId, generation: int, data_key: bytes) -> WrappedKey:
        wrapped = seal(self._key, data_key, _place(tenant_id, generation))
        return WrappedKey(tenant_id=tenant_id, generation=generation, wrapped=wrapped, wrapped_by=self._fingerprint)

    def unwrap(self, stored: WrappedKey) -> bytes:
        """The data key; raises KeyLost."""
        known = self._known.get(stored)
        if known is not None:
            return known
        what = f"The tenant's data key {stored.generation}"
        if stored.wrapped_by != self._fingerprint:
            raise KeyLost(what)
        try:
            data_key = open_sealed(self._key, stored.wrapped, _place(stored.tenant_id, stored.generation))
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
        first = keyring.wrap(tenant_id, 1, new_key())
        await fetch(_INSERT_FIRST, tenant_id, first.wrapped, first.wrapped_by, now)
        found = await fetch(_LATEST, tenant_id)  # another process may have been first
    (row,) = found
    stored = WrappedKey(
        tenant_id=tenant_id,
        generation=row["generation"],
        wrapped=bytes(row["wrapped"]),
        wrapped_by=bytes(row["wrapped_by"]),
    )
    return stored.generation, keyring.unwrap(stored)


def _place(tenant_id: TenantId, generation: int) -> tuple[bytes, ...]:
    return (b"data key", tenant_id.bytes, generation.to_bytes(4))


def secret_place(tenant_id: TenantId, connection_id: ConnectionId, name: str) -> tuple[bytes, ...]:
    """Where a secret is bound to: at another tenant, connection or name it does not open."""
    return (b"connection secret", tenant_id.bytes, connection_id.bytes, name.encode())
