"""Changes when what decides the version of a start is found in another way."""

from collections.abc import Iterable, Mapping

import orjson

from db.splits import split_of
from db.statements import Row, fetch
from domain.environments import Placed
from domain.ids import TenantId, VersionId, WorkflowId
from domain.placements import Placement, Target

FIND = """
SELECT t.workflow_id, t.environment AS place, e.variables::text AS variables, e.connections::text AS connections,
    CASE WHEN t.environment = 'default' THEN w.active_version_id ELSE d.version_id END AS active_id,
    s.id, s.environment, s.baseline_id, s.candidate_id, s.percent, s.started_at, s.started_by, s.ended_at, s.ended_by,
    s.promoted_id
FROM unnest($2::uuid[], $3::text[]) AS t (workflow_id, environment)
JOIN workflow AS w ON w.tenant_id = $1 AND w.id = t.workflow_id AND w.deleted_at IS NULL
LEFT JOIN environment AS e ON e.tenant_id = $1 AND e.name = t.environment
LEFT JOIN workflow_environment AS d
    ON d.tenant_id = $1 AND d.workflow_id = t.workflow_id AND d.environment = t.environment
LEFT JOIN workflow_split AS s
    ON s.tenant_id = $1 AND s.workflow_id = t.workflow_id AND s.environment = t.environment AND s.ended_at IS NULL
WHERE t.environment = 'default' OR e.name IS NOT NULL
"""
"""$1: the tenant; $2, $3: workflows and environments. For the application's connection and the engine's."""


class StartPlacements:
    """Implements `domain.placements.Placements` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def find(self, targets: Iterable[Target]) -> Mapping[Target, Placement]:
        wanted = list(targets)
        rows = await fetch(FIND, self._tenant_id, [each for each, _ in wanted], [each for _, each in wanted])
        return {(WorkflowId(row["workflow_id"]), str(row["place"])): placement_of(row) for row in rows}


def placement_of(row: Row) -> Placement:
    """A row of FIND."""
    return Placement(
        active=VersionId(row["active_id"]) if row["active_id"] else None,
        placed=Placed(
            environment=row["place"],
            variables=orjson.loads(row["variables"] or "{}"),
            connections=orjson.loads(row["connections"] or "{}"),
        ),
        split=split_of(row) if row["id"] else None,
    )
