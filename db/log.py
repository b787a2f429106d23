"""Changes when logs of executions are read in another way; the journal writes them elsewhere."""

from collections.abc import Mapping, Sequence

import orjson

from db.connections import EnginePool
from db.outages import told_as_connection_error
from db.statements import Row, fetch, fetch_value
from domain.engine.events import Event, EventKind
from domain.ids import ExecutionId, TenantId

_SELECT = """
SELECT execution_id, seq, kind, at, epoch, node, path, attempt, payload::text AS payload FROM execution_event
WHERE tenant_id = $1 AND execution_id
"""
_AFTER = _SELECT + "= $2 AND seq > $3 ORDER BY seq LIMIT $4"
_OF_KINDS = _SELECT + "= $2 AND seq > $3 AND kind = ANY($4::text[]) ORDER BY seq LIMIT $5"
_BEFORE = _SELECT + "= $2 AND seq < coalesce($3, 9223372036854775807) ORDER BY seq DESC LIMIT $4"
_WHOLE = _SELECT + "= ANY($2::uuid[]) ORDER BY execution_id, seq"
_OF_ANY_TENANT = """
SELECT execution_id, seq, kind, at, epoch, node, path, attempt, payload::text AS payload FROM execution_event
WHERE execution_id = $1 ORDER BY seq
"""
_COUNT = "SELECT count(*) FROM execution_event WHERE tenant_id = $1 AND execution_id = $2"
_HEADS = """
SELECT id, (SELECT max(seq) FROM execution_event WHERE execution_id = id) AS seq FROM unnest($1::uuid[]) AS id
"""


class Log:
    """Implements `domain.executions.LogReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def after(self, execution_id: ExecutionId, seq: int, limit: int) -> Sequence[Event]:
        return [_event(row) for row in await fetch(_AFTER, self._tenant_id, execution_id, seq, limit)]

    async def before(self, execution_id: ExecutionId, seq: int | None, limit: int) -> Sequence[Event]:
        return [_event(row) for row in await fetch(_BEFORE, self._tenant_id, execution_id, seq, limit)]

    async def of_kinds(
        self, execution_id: ExecutionId, kinds: Sequence[EventKind], seq: int, limit: int
    ) -> Sequence[Event]:
        names = [kind.value for kind in kinds]
        return [_event(row) for row in await fetch(_OF_KINDS, self._tenant_id, execution_id, seq, names, limit)]

    async def whole(self, ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, Sequence[Event]]:
        logs: dict[ExecutionId, list[Event]] = {execution_id: [] for execution_id in ids}
        for row in await fetch(_WHOLE, self._tenant_id, list(logs)):
            logs[row["execution_id"]].append(_event(row))
        return logs

    async def count(self, execution_id: ExecutionId) -> int:
        return await fetch_value(_COUNT, self._tenant_id, execution_id)


class EngineLogs:
    """Implements `domain.engine.ports.Logs`. Raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def whole(self, execution_id: ExecutionId) -> Sequence[Event]:
        with told_as_connection_error():
            rows = await self._pool.fetch(_OF_ANY_TENANT, execution_id)
        return [_event(dict(row)) for row in rows]


async def heads(pool: EnginePool, ids: Sequence[ExecutionId]) -> Mapping[ExecutionId, int]:
    """The highest seq in each of these logs, whatever the tenant, in one query; those without events are left out.

    For the one reader per process that looks after everybody who follows: it passes on numbers, no contents.
    Raises ConnectionError when PostgreSQL does not answer.
    """
    with told_as_connection_error():
        rows = await pool.fetch(_HEADS, list(ids))
    return {ExecutionId(row["id"]): row["seq"] for row in rows if row["seq"] is not None}


def _event(row: Row) -> Event:
    return Event(
        seq=row["seq"],
        kind=EventKind(row["kind"]),
        at=row["at"],
        epoch=row["epoch"],
        node=row["node"],
        path=row["path"],
        attempt=row["attempt"],
        payload=orjson.loads(row["payload"]),
    )
