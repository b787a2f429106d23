"""Entries and checkpoints of the audit log as rows: changes when their columns do."""

import json
from typing import Any

from domain.audit import AuditActorKind, AuditEntry, AuditObject, AuditOutcome, AuditRecord, Checkpoint, Origin
from domain.audit_chain import body
from domain.ids import TenantId
from domain.json import JSON

_COLUMNS = {
    "tenant_id": "tenant",
    "seq": "seq",
    "at": "at",
    "actor_kind": "actorKind",
    "actor_id": "actorId",
    "actor_name": "actorName",
    "action": "action",
    "object_type": "objectType",
    "object_id": "objectId",
    "ids": "ids",
    "outcome": "outcome",
    "code": "code",
    "before": "before",
    "after": "after",
    "ip": "ip",
    "user_agent": "userAgent",
    "request_id": "requestId",
}
CHECKPOINT_INSERT = """
INSERT INTO audit_checkpoint (tenant_id, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""


def row_of(entry: AuditEntry) -> dict[str, JSON]:
    """As `json_populate_recordset` takes it."""
    told = body(entry)
    return {**{column: told[name] for column, name in _COLUMNS.items()}, "hash": f"\\x{entry.hash.hex()}"}


def entry_of(row: Any) -> AuditEntry:
    """From all columns, JSON as text. Raises ValueError for a row that nobody here has written."""
    shown = AuditObject(type=row["object_type"], id=row["object_id"]) if row["object_type"] is not None else None
    record = AuditRecord(
        at=row["at"],
        actor_kind=AuditActorKind(row["actor_kind"]),
        actor_id=row["actor_id"],
        action=row["action"],
        object=shown,
        ids=tuple(row["ids"]),
        outcome=AuditOutcome(row["outcome"]),
        code=row["code"],
        before=_json(row["before"]),
        after=_json(row["after"]),
        origin=Origin(request_id=row["request_id"], ip=row["ip"], user_agent=row["user_agent"]),
    )
    return AuditEntry(
        tenant_id=TenantId(row["tenant_id"]),
        seq=row["seq"],
        actor_name=row["actor_name"],
        record=record,
        hash=bytes(row["hash"]),
    )


def checkpoint_values(checkpoint: Checkpoint) -> tuple[object, ...]:
    """The arguments of `CHECKPOINT_INSERT`."""
    return (checkpoint.tenant_id, checkpoint.seq, checkpoint.hash, checkpoint.at, checkpoint.signature)


def checkpoint_of(row: Any) -> Checkpoint:
    return Checkpoint(
        tenant_id=TenantId(row["tenant_id"]),
        seq=row["seq"],
        hash=bytes(row["hash"]),
        at=row["at"],
        signature=bytes(row["signature"]),
    )


def _json(text: str | None) -> JSON:
    return None if text is None else json.loads(text)
