"""What the audit log shows of an object: changes when another type, or another column of one, is shown.

Only what stands here is shown: no secret, no hash of one, no graph (its digest tells whether it changed), and of
variables their names. What looks like a secret in settings is hidden.
"""

import json
from collections.abc import Mapping
from uuid import UUID

from db.statements import fetch
from domain.audit import AuditObject
from domain.errors import InvalidId
from domain.ids import TenantId, decode, encode
from domain.json import JSON, JSONObject
from domain.plain_secrets import hidden

_DIGEST = "encode(sha256(convert_to({}::text, 'UTF8')), 'hex')"
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "workflow": {
        "name": "name",
        "description": "description",
        "category": "category",
        "tags": "tags",
        "status": "status",
        "revision": "revision",
        "draftDigest": _DIGEST.format("draft"),
        "activeVersion": "active_version_id",
        "deletedAt": "deleted_at",
    },
    "connection": {
        "name": "name",
        "type": "type",
        "settings": "settings",
        "revision": "revision",
        "deletedAt": "deleted_at",
    },
    "apikey": {
        "name": "name",
        "user": "account_id",
        "role": "role",
        "scopes": "scopes",
        "expiresAt": "expires_at",
        "revokedAt": "revoked_at",
    },
    "environment": {
        "name": "name",
        "position": "position",
        "variables": "ARRAY(SELECT json_object_keys(variables))",
        "connections": "connections",
        "revision": "revision",
    },
    "trigger": {
        "workflow": "workflow_id",
        "type": "type",
        "enabled": "enabled",
        "config": "config",
        "method": "method",
        "path": "path",
    },
    "split": {
        "workflow": "workflow_id",
        "environment": "environment",
        "baseline": "baseline_id",
        "candidate": "candidate_id",
        "percent": "percent",
        "endedAt": "ended_at",
        "promoted": "promoted_id",
    },
}
_TABLES = {"apikey": "api_key", "split": "workflow_split"}
_PREFIXES = {
    "activeVersion": "version",
    "baseline": "version",
    "candidate": "version",
    "promoted": "version",
    "user": "user",
    "workflow": "workflow",
}
"""Of what ids the members with these names are."""
_BY_NAME = frozenset({"environment"})


def _statement(kind: str) -> str:
    members = ", ".join(f"'{name}', {column}" for name, column in _COLUMNS[kind].items())
    table, key = _TABLES.get(kind, kind), "name" if kind in _BY_NAME else "id"
    return _SELECT.format(members=members, table=table, key=key)


_SELECT = "SELECT json_build_object({members})::text AS shown FROM {table} WHERE tenant_id = $1 AND {key} = $2"
_STATEMENTS = {kind: _statement(kind) for kind in _COLUMNS}


async def snapshot(tenant_id: TenantId, shown: AuditObject) -> JSON:
    """The object as it is now, within the tenant's scope; None when there is none or its type is not shown."""
    if shown.type not in _STATEMENTS:
        return None
    try:
        wanted = shown.id if shown.type in _BY_NAME else decode(shown.type, shown.id)
    except InvalidId:
        return None
    rows = await fetch(_STATEMENTS[shown.type], tenant_id, wanted)
    return hidden(_with_ids(json.loads(rows[0]["shown"]))) if rows else None


def _with_ids(found: JSONObject) -> JSONObject:
    return {name: _id(name, value) for name, value in found.items()}


def _id(name: str, value: JSON) -> JSON:
    prefix = _PREFIXES.get(name)
    return encode(prefix, UUID(value)) if prefix and isinstance(value, str) else value
