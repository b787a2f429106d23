"""A key management service that wraps data keys: changes when its protocol does.

The transit engine of HashiCorp Vault and OpenBao, over HTTP: the key stays there, and what it wrapped names the version
that did, so it may be rotated there at any time. https://openbao.org/api-docs/secret/transit/
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

import httpx

from db.envelope import CannotOpen

_SECONDS = 10.0


class TransitKey:
    """Implements `db.key_wrapping.KeyWrapping`. `url` leads to the engine, such as https://bao.example.com/v1/transit."""

    def __init__(self, *, url: str, name: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._name = name
        self._headers = {"X-Vault-Token": token}
        self.id = hashlib.sha256(f"{self._url} {name}".encode()).digest()[:8]

    async def wrap(self, data_key: bytes, place: Sequence[bytes]) -> bytes:
        about = {"plaintext": _base64(data_key), "associated_data": _bound(place)}
        return (await self._asked("encrypt", "ciphertext", about)).encode()

    async def unwrap(self, wrapped: bytes, place: Sequence[bytes]) -> bytes:
        about = {"ciphertext": wrapped.decode(), "associated_data": _bound(place)}
        return base64.b64decode(await self._asked("decrypt", "plaintext", about))

    async def _asked(self, action: str, wanted: str, about: Mapping[str, str]) -> str:
        """What is at `wanted` in its answer. No error quotes an answer: it may hold a key."""
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, headers=self._headers) as client:
                answer = await client.post(f"{self._url}/{action}/{self._name}", json=about)
        except httpx.HTTPError as error:
            raise ConnectionError(f"The key management service does not answer: {type(error).__name__}") from error
        if answer.status_code == 400 and action == "decrypt":
            raise CannotOpen
        if answer.status_code != 200:
            raise ConnectionError(f"The key management service answers {action} with status {answer.status_code}")
        try:
            return str(answer.json()["data"][wanted])
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectionError(f"The key management service answers {action} without {wanted}") from error


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bound(place: Sequence[bytes]) -> str:
    """Unambiguous: each part comes after its length."""
    return _base64(b"".join(len(part).to_bytes(4) + part for part in place))
