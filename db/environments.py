"""Changes when environments are stored in another way."""

from collections.abc import Sequence
from datetime import datetime

from tortoise.exceptions import IntegrityError

from db.json_text import dump
from db.models import Environment as Row
from db.statements import fetch
from db.violations import violated
from domain.environments import Environment, EnvironmentNameTaken
from domain.ids import TenantId

_INSERT = """
INSERT INTO environment
    (tenant_id, name, position, variables, connections, revision, created_at, updated_at, updated_by)
SELECT $1, $2, coalesce(max(position), 0) + 1, $3::text::json, $4::text::json, $5, $6, $7, $8
FROM environment WHERE tenant_id = $1
"""
_SAVE = """
UPDATE environment
SET variables = $4::text::json, connections = $5::text::json, revision = $6, updated_at = $7, updated_by = $8
WHERE tenant_id = $1 AND name = $2 AND revision = $3
RETURNING name
"""
_ORDER = """
UPDATE environment AS e SET position = n.position
FROM unnest($2::text[]) WITH ORDINALITY AS n (name, position)
WHERE e.tenant_id = $1 AND e.name = n.name
"""
# In one statement: what refers to it goes with it.
_DELETE = """
WITH split AS (
    UPDATE workflow_split SET ended_at = $3 WHERE tenant_id = $1 AND environment = $2 AND ended_at IS NULL
), active AS (
    DELETE FROM workflow_environment WHERE tenant_id = $1 AND environment = $2
)
DELETE FROM environment WHERE tenant_id = $1 AND name = $2 RETURNING name
"""


class Environments:
    """Implements `domain.environments.EnvironmentStore` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def all(self) -> Sequence[Environment]:
        return [_environment(row) for row in await Row.filter(tenant_id=self._tenant_id).order_by("position", "name")]

    async def insert(self, environment: Environment) -> None:
        try:
            await fetch(
                _INSERT,
                self._tenant_id,
                environment.name,
                dump(environment.variables),
                dump(dict(environment.connections)),
                environment.revision,
                environment.created_at,
                environment.updated_at,
                environment.updated_by,
            )
        except IntegrityError as error:
            if violated(error) != "environment_pkey":
                raise
            raise EnvironmentNameTaken(environment.name) from error

    async def save(self, environment: Environment, *, expected_revision: int) -> bool:
        saved = await fetch(
            _SAVE,
            self._tenant_id,
            environment.name,
            expected_revision,
            dump(environment.variables),
            dump(dict(environment.connections)),
            environment.revision,
            environment.updated_at,
            environment.updated_by,
        )
        return bool(saved)

    async def order(self, names: Sequence[str]) -> None:
        await fetch(_ORDER, self._tenant_id, list(names))

    async def delete(self, name: str, at: datetime) -> bool:
        return bool(await fetch(_DELETE, self._tenant_id, name, at))


def _environment(row: Row) -> Environment:
    return Environment(
        name=row.name,
        position=row.position,
        variables=row.variables,
        connections=row.connections,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
