"""Changes when what wraps data keys has to answer to something else: the port, and the key that is at hand."""

from collections.abc import Sequence
from typing import Protocol

from db.envelope import fingerprint, open_sealed, seal


class KeyWrapping(Protocol):
    """One key that encrypts data keys: in this process, or in a key management service that never hands it out."""

    @property
    def id(self) -> bytes:
        """Names the key for good, tells nothing about it, and is stored with what the key has wrapped."""
        ...

    async def wrap(self, data_key: bytes, place: Sequence[bytes]) -> bytes:
        """Bytes that open at this place alone. Raises ConnectionError when the service is away."""
        ...

    async def unwrap(self, wrapped: bytes, place: Sequence[bytes]) -> bytes:
        """The data key. Raises CannotOpen; ConnectionError when the service is away."""
        ...


class LocalKey:
    """Implements `KeyWrapping` with 32 bytes in this process and AES-256-GCM."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id = fingerprint(key)

    async def wrap(self, data_key: bytes, place: Sequence[bytes]) -> bytes:
        return seal(self._key, data_key, place)

    async def unwrap(self, wrapped: bytes, place: Sequence[bytes]) -> bytes:
        return open_sealed(self._key, wrapped, place)
