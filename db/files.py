"""Changes when files are recorded, listed, counted or swept in another way."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from tortoise.expressions import Q

from db import keyset
from db.models import File as Row
from db.outages import told_as_connection_error
from domain.errors import InvalidState
from domain.files import File, FileFilter, StorageFull
from domain.ids import ExecutionId, FileId, TenantId
from domain.paging import Direction, Page, Slice, cut
from domain.quotas import MAX_QUOTA, Quota

if TYPE_CHECKING:
    from db.connections import EnginePool

_GET = "SELECT * FROM file WHERE tenant_id = $1 AND id = $2"
_QUOTA = "SELECT maximum FROM tenant_quota WHERE tenant_id = $1 AND name = $2"
_USED = "SELECT bytes FROM file_usage WHERE tenant_id = $1"

# The leftover's row decides between a slow upload and the sweeper; it goes only if the file is really recorded.
_INSERT = """
WITH claimed AS (
    SELECT storage_key FROM file_leftover WHERE tenant_id = $1 AND storage_key = $2 AND due_at = $13 FOR UPDATE
), room AS (
    INSERT INTO file_usage (tenant_id, bytes) SELECT $1, $3::bigint FROM claimed WHERE $3 <= $4::bigint
    ON CONFLICT (tenant_id) DO UPDATE SET bytes = file_usage.bytes + excluded.bytes
        WHERE file_usage.bytes + excluded.bytes <= $4
    RETURNING tenant_id
), gone AS (
    DELETE FROM file_leftover USING room WHERE file_leftover.tenant_id = room.tenant_id AND storage_key = $2
)
INSERT INTO file (tenant_id, storage_key, size, id, name, media_type, sha256, created_at, created_by, execution_id,
    expires_at)
SELECT $1, $2, $3, $5::uuid, $6, $7, decode($8, 'hex'), $9::timestamptz, $10, $11::uuid, $12::timestamptz FROM room
RETURNING id
"""

_DELETE = """
WITH gone AS (
    DELETE FROM file WHERE tenant_id = $1 AND id = $2 RETURNING *
), freed AS (
    UPDATE file_usage SET bytes = bytes - gone.size FROM gone WHERE file_usage.tenant_id = gone.tenant_id
), left_over AS (
    INSERT INTO file_leftover (storage_key, tenant_id, due_at) SELECT storage_key, tenant_id, $3 FROM gone
)
SELECT * FROM gone
"""

# One process at a time: two would free several tenants' bytes in different orders and wait for each other.
_EXPIRE_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('weir file expiry'))"
_EXPIRE = """
WITH over AS (
    SELECT id FROM file
    WHERE expires_at <= $1
        AND NOT EXISTS (SELECT FROM execution WHERE execution.id = file.execution_id AND finished_at IS NULL)
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM file USING over WHERE file.id = over.id RETURNING file.storage_key, file.tenant_id, file.size
), freed AS (
    UPDATE file_usage SET bytes = bytes - freed.size
    FROM (SELECT tenant_id, sum(size) AS size FROM gone GROUP BY tenant_id) AS freed
    WHERE file_usage.tenant_id = freed.tenant_id
), left_over AS (
    INSERT INTO file_leftover (storage_key, tenant_id, due_at) SELECT storage_key, tenant_id, $1 FROM gone
)
SELECT count(*) FROM gone
"""

# What is taken has another `due_at` than its upload wrote, so that no file can claim it any more.
_TAKE = """
UPDATE file_leftover SET due_at = $2
FROM (SELECT storage_key FROM file_leftover WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS due
WHERE file_leftover.storage_key = due.storage_key
RETURNING file_leftover.storage_key
"""


class Fetch(Protocol):
    """Runs a statement: `db.statements.fetch` as the application, an engine pool's `fetch` as the engine."""

    def __call__(self, sql: str, /, *arguments: Any) -> Awaitable[Sequence[Any]]: ...


class PostgresFiles:
    """Implements `domain.files.FileRows` for one tenant."""

    def __init__(self, tenant_id: TenantId, fetch: Fetch) -> None:
        self._tenant_id = tenant_id
        self._fetch = fetch

    async def get(self, file_id: FileId) -> File | None:
        rows = await self._fetch(_GET, self._tenant_id, file_id)
        return _file(rows[0]) if rows else None

    async def used(self) -> int:
        rows = await self._fetch(_USED, self._tenant_id)
        return rows[0]["bytes"] if rows else 0

    async def quota(self, default: int) -> int:
        rows = await self._fetch(_QUOTA, self._tenant_id, Quota.FILE_BYTES.value)
        if not rows:
            return default
        maximum: int | None = rows[0]["maximum"]
        return MAX_QUOTA if maximum is None else maximum

    async def expect(self, key: str, due_at: datetime) -> None:
        sql = "INSERT INTO file_leftover (storage_key, tenant_id, due_at) VALUES ($1, $2, $3) RETURNING due_at"
        await self._fetch(sql, key, self._tenant_id, due_at)

    async def insert(self, file: File, *, due_at: datetime, quota: int) -> None:
        inserted = await self._fetch(
            _INSERT,
            self._tenant_id,
            file.storage_key,
            file.size,
            quota,
            file.id,
            file.name,
            file.media_type,
            file.sha256,
            file.created_at,
            file.created_by,
            file.execution_id,
            file.expires_at,
            due_at,
        )
        if not inserted:
            raise await self._why_not(file.storage_key, due_at, quota)

    async def forget(self, key: str) -> None:
        sql = "DELETE FROM file_leftover WHERE tenant_id = $1 AND storage_key = $2 RETURNING due_at"
        await self._fetch(sql, self._tenant_id, key)

    async def delete(self, file_id: FileId, now: datetime) -> File | None:
        rows = await self._fetch(_DELETE, self._tenant_id, file_id, now)
        return _file(rows[0]) if rows else None

    async def _why_not(self, key: str, due_at: datetime, quota: int) -> StorageFull | InvalidState:
        sql = "SELECT due_at FROM file_leftover WHERE tenant_id = $1 AND storage_key = $2 AND due_at = $3"
        if await self._fetch(sql, self._tenant_id, key, due_at):
            return StorageFull(quota, await self.used())
        return InvalidState("The upload took so long that it was given up", remedy="Upload the file again, faster.")


class Files:
    """Implements `domain.files.FileReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def page(self, chosen: FileFilter, page: Page) -> Slice[File]:
        rows = (
            await Row.filter(self._chosen(chosen), keyset.between(page, Direction.DESC, "created_at"))
            .order_by(*keyset.order(page, Direction.DESC, "created_at", "id"))
            .limit(page.limit + 1)
            .values()
        )
        return cut([_file(row) for row in rows], page)

    async def count(self, chosen: FileFilter) -> int:
        return await Row.filter(self._chosen(chosen)).count()

    def _chosen(self, chosen: FileFilter) -> Q:
        condition = Q(tenant_id=self._tenant_id)
        if chosen.search:
            condition &= Q(name__icontains=chosen.search)
        if chosen.execution_id is not None:
            condition &= Q(execution_id=chosen.execution_id)
        return condition


class PostgresFileSweeping:
    """Implements `domain.files.FileSweeping`."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def expire(self, now: datetime, limit: int) -> int:
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                if not await connection.fetchval(_EXPIRE_ALONE):
                    return 0
                return await connection.fetchval(_EXPIRE, now, limit)

    async def take(self, now: datetime, until: datetime, limit: int) -> Sequence[str]:
        with told_as_connection_error():
            return [row["storage_key"] for row in await self._pool.fetch(_TAKE, now, until, limit)]

    async def forget(self, keys: Sequence[str]) -> None:
        with told_as_connection_error():
            await self._pool.execute("DELETE FROM file_leftover WHERE storage_key = ANY($1::text[])", list(keys))


def _file(row: Any) -> File:
    execution_id = row["execution_id"]
    return File(
        id=FileId(row["id"]),
        name=row["name"],
        media_type=row["media_type"],
        size=row["size"],
        sha256=row["sha256"].hex(),
        storage_key=row["storage_key"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        execution_id=ExecutionId(execution_id) if execution_id else None,
        expires_at=row["expires_at"],
    )
