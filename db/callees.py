"""Changes when the engine finds the workflow a step calls in another way."""

import orjson

from db.connections import EnginePool
from db.outages import told_as_connection_error
from domain.children import Callee
from domain.errors import InvalidState, NotFound
from domain.formats.stored import definition_from_json
from domain.ids import TenantId, VersionId, WorkflowId, decode
from domain.versions import Version
from domain.workflows import Workflow, WorkflowStatus

_FIND = """
SELECT w.id, w.name, w.status, w.revision, w.created_at, w.updated_at, w.active_version_id,
    v.id AS version_id, v.number, v.content_hash, v.definition::text AS definition, v.note,
    v.created_at AS version_created_at, v.created_by AS version_created_by
FROM workflow AS w
LEFT JOIN workflow_version AS v
    ON v.workflow_id = w.id AND (v.id = w.active_version_id AND $4::int IS NULL OR v.number = $4)
WHERE w.tenant_id = $1 AND w.deleted_at IS NULL AND (w.id = $2 OR w.name = $3)
ORDER BY w.listed DESC, w.created_at DESC
LIMIT 1
"""
_PREFIX = "workflow_"


class PostgresCallees:
    """Implements `domain.children.Callees` over the engine's pool. Raises ConnectionError when PostgreSQL is away."""

    def __init__(self, pool: EnginePool, tenant_id: TenantId) -> None:
        self._pool = pool
        self._tenant_id = tenant_id

    async def find(self, reference: str, version: int | None) -> Callee:
        by_id = WorkflowId(decode("workflow", reference)) if reference.startswith(_PREFIX) else None
        with told_as_connection_error():
            row = await self._pool.fetchrow(_FIND, self._tenant_id, by_id, None if by_id else reference, version)
        if row is None:
            raise NotFound("workflow", reference[:200], path=("workflow",))
        if row["version_id"] is None:
            if version is not None:
                raise NotFound("version", str(version), path=("version",))
            raise InvalidState(
                f"The workflow {row['name']!r} has no active version", path=("workflow",), remedy="Publish it."
            )
        definition = definition_from_json(orjson.loads(row["definition"]))
        return Callee(
            workflow=Workflow(
                id=row["id"],
                name=row["name"],
                status=WorkflowStatus(row["status"]),
                revision=row["revision"],
                draft=definition,
                active_version_id=row["active_version_id"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            ),
            version=Version(
                id=VersionId(row["version_id"]),
                workflow_id=row["id"],
                number=row["number"],
                content_hash=row["content_hash"],
                definition=definition,
                note=row["note"],
                created_at=row["version_created_at"],
                created_by=row["version_created_by"],
            ),
        )
