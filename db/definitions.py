"""Definitions of versions for the engine: read once per version and process, whatever the tenant."""

from collections.abc import Mapping, Sequence

import orjson

from db.connections import EnginePool
from db.outages import told_as_connection_error
from domain.engine.ports import StoredDefinition
from domain.formats.stored import definition_from_json
from domain.ids import VersionId

_LOAD = """
SELECT version.id, version.definition::text AS definition, workflow.name
FROM workflow_version AS version JOIN workflow ON workflow.id = version.workflow_id
WHERE version.id = ANY($1::uuid[])
"""


class PostgresDefinitions:
    """Implements `domain.engine.ports.Definitions`. Raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def load(self, ids: Sequence[VersionId]) -> Mapping[VersionId, StoredDefinition]:
        with told_as_connection_error():
            rows = await self._pool.fetch(_LOAD, list(ids))
        return {
            VersionId(row["id"]): StoredDefinition(
                definition=definition_from_json(orjson.loads(row["definition"])), workflow_name=row["name"]
            )
            for row in rows
        }
