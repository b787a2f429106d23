"""Resume tokens: an unguessable, tenant-bound name for one step's wait, made without storing anything.

A token is base64url of tenant (16 bytes), execution (16 bytes), path (UTF-8) and a 16-byte HMAC-SHA-256 over them.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.errors import NotFound
from domain.ids import ExecutionId, TenantId

_TAG = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    tenant_id: TenantId
    execution_id: ExecutionId
    path: str

    @property
    def signal(self) -> str:
        return signal_name(self.path)


def signal_name(path: str) -> str:
    """The signal that ends the callback wait at `path`."""
    return f"callback:{path}"


def make_token(secret: bytes, callback: Callback) -> str:
    body = callback.tenant_id.bytes + callback.execution_id.bytes + callback.path.encode()
    return base64.urlsafe_b64encode(body + _tag(secret, body)).decode().rstrip("=")


def read_token(secrets: Sequence[bytes], token: str) -> Callback:
    """Made with any of these secrets. Raises NotFound, the same for every token that is not ours."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        body, tag = raw[:-_TAG], raw[-_TAG:]
        if len(body) < 33 or not any(hmac.compare_digest(tag, _tag(secret, body)) for secret in secrets):
            raise NotFound("wait", "behind this link", path=("token",))
        path = body[32:].decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise NotFound("wait", "behind this link", path=("token",)) from error
    return Callback(
        tenant_id=TenantId(UUID(bytes=body[:16])),
        execution_id=ExecutionId(UUID(bytes=body[16:32])),
        path=path,
    )


def _tag(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, b"weir resume token\0" + body, hashlib.sha256)[:_TAG]
