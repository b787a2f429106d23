"""How entries of the audit log are chained and signed: changes when the form of the chain does.

The hash of an entry is SHA-256 over the hash of the entry before it (32 zero bytes before the first) and the entry as
canonical JSON. A checkpoint signs a place of the chain with HMAC-SHA256 (RFC 2104), so that whoever can write to the
database, and has no key, can neither make the chain anew nor cut off its end below a checkpoint.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from domain.audit import AuditEntry, AuditRecord, Checkpoint
from domain.ids import TenantId
from domain.json import JSONObject
from domain.storable import canonical

GENESIS = bytes(32)
CHECKPOINT_EVERY = 20
"""Entries between two checkpoints that are made by themselves."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs with the first key; what any of them signed holds."""

    keys: Sequence[bytes] = field(repr=False)

    def checkpoint(self, entry: AuditEntry, at: datetime) -> Checkpoint:
        made = Checkpoint(tenant_id=entry.tenant_id, seq=entry.seq, hash=entry.hash, at=at, signature=b"")
        return replace(made, signature=_signature(self.keys[0], made))

    def holds(self, checkpoint: Checkpoint) -> bool:
        return any(hmac.compare_digest(checkpoint.signature, _signature(key, checkpoint)) for key in self.keys)


def body(entry: AuditEntry) -> JSONObject:
    """All of the entry but its hash, as JSON: what is hashed, and what an export shows."""
    record = entry.record
    return {
        "tenant": str(entry.tenant_id),
        "seq": entry.seq,
        "at": record.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actorKind": record.actor_kind.value,
        "actorId": record.actor_id,
        "actorName": entry.actor_name,
        "action": record.action,
        "objectType": record.object.type if record.object else None,
        "objectId": record.object.id if record.object else None,
        "ids": list(record.ids),
        "outcome": record.outcome.value,
        "code": record.code,
        "before": record.before,
        "after": record.after,
        "ip": record.origin.ip,
        "userAgent": record.origin.user_agent,
        "requestId": record.origin.request_id,
    }


def chained(
    tenant_id: TenantId, seq: int, record: AuditRecord, *, actor_name: str | None, previous: bytes
) -> AuditEntry:
    """The record as the entry that follows the one with the hash `previous`."""
    entry = AuditEntry(tenant_id=tenant_id, seq=seq, actor_name=actor_name, record=record, hash=b"")
    return replace(entry, hash=link(entry, previous))


def link(entry: AuditEntry, previous: bytes) -> bytes:
    """What the entry's hash must be."""
    return hashlib.sha256(previous + canonical(body(entry))).digest()


def _signature(key: bytes, checkpoint: Checkpoint) -> bytes:
    at = checkpoint.at.astimezone(UTC).isoformat(timespec="microseconds")
    signed = {"tenant": str(checkpoint.tenant_id), "seq": checkpoint.seq, "hash": checkpoint.hash.hex(), "at": at}
    return hmac.digest(key, canonical(signed), "sha256")
