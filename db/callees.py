"""Changes when the engine finds the workflow a step calls in another way."""

from dataclasses import replace

import asyncpg
import orjson

from db.connections import EnginePool
from db.outages import told_as_connection_error
from db.placements import FIND, placement_of
from domain.children import Callee
from domain.environments import DEFAULT, Placed, missing
from domain.errors import InvalidState, NotFound
from domain.formats.stored import definition_from_json
from domain.ids import TenantId, VersionId, WorkflowId, decode
from domain.placements import Placement
from domain.versions import Version
from domain.workflows import Workflow, WorkflowStatus

_FIND = """
SELECT w.id, w.name, w.status, w.revision, w.created_at, w.updated_at, w.active_version_id,
    w.split_id,
    v.id AS version_id, v.number, v.content_hash, v.definition::text AS definition, v.note,
    v.created_at AS version_created_at, v.created_by AS version_created_by
FROM workflow AS w
LEFT JOIN workflow_version AS v
    ON v.workflow_id = w.id AND (v.id = coalesce($5, w.active_version_id) AND $4::int IS NULL OR v.number = $4)
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

    async def find(self, reference: str, version: int | None, environment: str, key: str) -> Callee:
        with told_as_connection_error():
            row = await self._row(reference, version)
            if environment == DEFAULT and row["split_id"] is None:
                return _callee(row, version, Placed())
            placement = await self._placement(row["id"], environment)
            chosen, placed = placement.active, placement.placed
            if version is None and placement.split is not None:
                chosen, placed = placement.split.choose(key), replace(placed, split_id=placement.split.id)
            if version is None and chosen is None:
                raise _inactive(row, environment)
            return _callee(await self._row(reference, version, chosen), version, placed)

    async def _row(self, reference: str, version: int | None, chosen: VersionId | None = None) -> asyncpg.Record:
        by_id = WorkflowId(decode("workflow", reference)) if reference.startswith(_PREFIX) else None
        name = None if by_id else reference
        row = await self._pool.fetchrow(_FIND, self._tenant_id, by_id, name, version, chosen)
        if row is None:
            raise NotFound("workflow", reference[:200], path=("workflow",))
        return row

    async def _placement(self, workflow_id: WorkflowId, environment: str) -> Placement:
        row = await self._pool.fetchrow(FIND, self._tenant_id, [workflow_id], [environment])
        if row is None:
            raise missing(environment)
        return placement_of(dict(row))


def _callee(row: asyncpg.Record, version: int | None, placed: Placed) -> Callee:
    if row["version_id"] is None:
        if version is not None:
            raise NotFound("version", str(version), path=("version",))
        raise _inactive(row, DEFAULT)
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
        placed=placed,
    )


def _inactive(row: asyncpg.Record, environment: str) -> InvalidState:
    where, remedy = ("", "Publish it.") if environment == DEFAULT else (f" in {environment}", "Promote one there.")
    return InvalidState(f"The workflow {row['name']!r} has no active version{where}", path=("workflow",), remedy=remedy)
