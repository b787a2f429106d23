"""Changes when what is encrypted at rest is encrypted in another way.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits: one key may seal 2^32 times, far beyond what a tenant
ever does. What is sealed is bound to where it stands: at another place it does not open.
"""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
FINGERPRINT_BYTES = 8
_VERSION = b"\x01"
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """Another key, another place, or changed bytes: which of them cannot be told."""


def new_key() -> bytes:
    return AESGCM.generate_key(bit_length=8 * KEY_BYTES)


def seal(key: bytes, plain: bytes, place: Sequence[bytes]) -> bytes:
    """One byte of version, nonce, ciphertext and tag; `place` is authenticated with it and not kept in it."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, _bound(place))


def open_sealed(key: bytes, sealed: bytes, place: Sequence[bytes]) -> bytes:
    """What was sealed with this key at this place; raises CannotOpen."""
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
        raise CannotOpen
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _bound(place))
    except InvalidTag:
        raise CannotOpen from None


def fingerprint(key: bytes) -> bytes:
    """Tells which key it is, and nothing about it."""
    derive = HKDF(algorithm=SHA256(), length=FINGERPRINT_BYTES, salt=None, info=b"weir key fingerprint")
    return derive.derive(key)


def _bound(place: Sequence[bytes]) -> bytes:
    """Unambiguous: each part comes after its length."""
    return _VERSION + b"".join(len(part).to_bytes(4) + part for part in place)
