"""A checkpoint of an audit log as a line of text: changes when that line does."""

from datetime import UTC, datetime

from domain.audit import Checkpoint
from domain.errors import Invalid, InvalidId
from domain.ids import TenantId, decode, encode


def written(checkpoint: Checkpoint) -> str:
    """`TENANT SEQ TIME HASH SIGNATURE`; the bytes in hexadecimal."""
    at = checkpoint.at.astimezone(UTC).isoformat(timespec="microseconds")
    tenant = encode("tenant", checkpoint.tenant_id)
    return f"{tenant} {checkpoint.seq} {at} {checkpoint.hash.hex()} {checkpoint.signature.hex()}"


def read(line: str) -> Checkpoint:
    """Raises Invalid for anything else."""
    try:
        tenant, seq, at, digest, signature = line.split()
        return Checkpoint(
            tenant_id=TenantId(decode("tenant", tenant)),
            seq=int(seq),
            at=datetime.fromisoformat(at),
            hash=bytes.fromhex(digest),
            signature=bytes.fromhex(signature),
        )
    except (ValueError, InvalidId) as error:
        raise Invalid(
            f"{line[:60]!r} is no checkpoint", remedy="Give the lines as `weir audit checkpoint` printed them."
        ) from error
