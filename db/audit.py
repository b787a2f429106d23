"""Changes when entries of the audit log are written or read in another way.

Writers of one tenant's log take turns by an advisory lock, which their transaction holds to its end: no number is
given twice or left out, whatever processes write, and no row has to be changed to know the last one.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from tortoise.transactions import in_transaction

from db import keyset
from db.audit_rows import CHECKPOINT_INSERT, checkpoint_values, entry_of, row_of
from db.audit_snapshots import snapshot
from db.connections import EnginePool
from db.outages import told_as_connection_error
from db.statements import Row, fetch
from domain.audit import AuditEntry, AuditFilter, AuditObject, AuditRecord, bounded, names_of
from domain.audit_chain import CHECKPOINT_EVERY, GENESIS, Seal, chained
from domain.ids import TenantId, split
from domain.json import JSON
from domain.paging import Direction, Page, Slice, cut
from domain.sources import Clock

Fetch = Callable[..., Awaitable[Sequence[Row]]]

_AT_ONCE = 500
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('audit ' || $1::text, 0))"
_LAST = "SELECT seq, hash FROM audit_entry WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1"
_NAMES = """
SELECT id, name FROM account WHERE id = ANY($1::uuid[])
UNION ALL SELECT id, name FROM api_key WHERE id = ANY($1::uuid[])
"""
_INSERT = "INSERT INTO audit_entry SELECT * FROM json_populate_recordset(NULL::audit_entry, $1::text::json)"
_PAGE = """
SELECT * FROM audit_entry
WHERE tenant_id = $1 AND ($2::bigint IS NULL OR seq < $2) AND ($3::bigint IS NULL OR seq > $3)
    AND ($4::text IS NULL OR actor_id = $4) AND ($5::text IS NULL OR action = $5)
    AND ($6::text IS NULL OR object_id = $6)
    AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)
"""


async def _append(fetch: Fetch, tenant_id: TenantId, records: Sequence[AuditRecord], seal: Seal, clock: Clock) -> None:
    """Within the transaction that `fetch` works in."""
    await fetch(_LOCK, str(tenant_id))
    actors = [split(each)[1] for each in names_of(records)]
    names = {row["id"]: row["name"] for row in await fetch(_NAMES, actors)} if actors else {}
    # A statement of its own: the last entry has to be read after the lock is held.
    last = await fetch(_LAST, tenant_id)
    begun, previous = (last[0]["seq"], bytes(last[0]["hash"])) if last else (0, GENESIS)
    entries: list[AuditEntry] = []
    for seq, record in enumerate(records, begun + 1):
        name = names.get(split(record.actor_id)[1]) if record.actor_id else None
        entries.append(chained(tenant_id, seq, record, actor_name=name, previous=previous))
        previous = entries[-1].hash
    await fetch(_INSERT, json.dumps([row_of(entry) for entry in entries]))
    if entries[-1].seq // CHECKPOINT_EVERY > begun // CHECKPOINT_EVERY:
        await fetch(CHECKPOINT_INSERT, *checkpoint_values(seal.checkpoint(entries[-1], clock())))


class AuditLog:
    """Implements `domain.audit.AuditTrail`."""

    def __init__(self, tenant_id: TenantId, *, seal: Seal, clock: Clock) -> None:
        self._tenant_id = tenant_id
        self._seal = seal
        self._clock = clock

    def transaction(self) -> AbstractAsyncContextManager[object]:
        return in_transaction()

    async def append(self, record: AuditRecord) -> None:
        await _append(fetch, self._tenant_id, [record], self._seal, self._clock)

    async def snapshot(self, shown: AuditObject) -> JSON:
        return bounded(await snapshot(self._tenant_id, shown))

    async def page(self, chosen: AuditFilter, page: Page) -> Slice[AuditEntry]:
        after, before = (place.value if place else None for place in (page.after, page.before))
        direction = "ASC" if keyset.ascending(page, Direction.DESC) else "DESC"
        rows = await fetch(
            f"{_PAGE} ORDER BY seq {direction} LIMIT {page.limit + 1}",
            self._tenant_id,
            after,
            before,
            chosen.actor,
            chosen.action,
            chosen.object,
            chosen.since,
            chosen.until,
        )
        return cut([entry_of(row) for row in rows], page)


_Waiting = list[tuple[AuditRecord, asyncio.Future[None]]]


class PostgresAuditAppender:
    """Implements `domain.audit.AuditAppender`: what gathers while a tenant's log is written is written together.

    So a flood of one tenant's requests costs its log a transaction for many of them, not one for each.
    """

    def __init__(self, pool: EnginePool, *, seal: Seal, clock: Clock) -> None:
        self._pool = pool
        self._seal = seal
        self._clock = clock
        self._waiting: dict[TenantId, _Waiting] = {}
        self._writers: set[asyncio.Task[None]] = set()

    async def append(self, tenant_id: TenantId, record: AuditRecord) -> None:
        """Raises ConnectionError when PostgreSQL does not answer."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if tenant_id in self._waiting:
            self._waiting[tenant_id].append((record, written))
        else:
            self._waiting[tenant_id] = [(record, written)]
            writer = asyncio.create_task(self._write_all(tenant_id))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        await written

    async def close(self) -> None:
        """Waits until everything that was handed over is written."""
        await asyncio.gather(*self._writers)

    async def _write_all(self, tenant_id: TenantId) -> None:
        while waiting := self._waiting[tenant_id]:
            batch, self._waiting[tenant_id] = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            try:
                await self._write(tenant_id, [record for record, _ in batch])
            except BaseException as error:  # it is handed to those who wait
                _tell(batch, error)
            else:
                _tell(batch, None)
        del self._waiting[tenant_id]

    async def _write(self, tenant_id: TenantId, records: Sequence[AuditRecord]) -> None:
        with told_as_connection_error():
            async with self._pool.acquire() as connection, connection.transaction():
                await _append(connection.fetch, tenant_id, records, self._seal, self._clock)


def _tell(batch: _Waiting, error: BaseException | None) -> None:
    for _, written in batch:
        if written.done():  # whoever waited has gone away
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
