"""Keys for one purpose each, derived from the master key (HKDF with SHA-256, RFC 5869)."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived(master_key: bytes, purpose: str) -> bytes:
    """32 bytes that tell nothing of the master key or of another purpose's key."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"weir {purpose}".encode()).derive(master_key)
