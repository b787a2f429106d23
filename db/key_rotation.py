"""Changes when keys are replaced in another way: data keys under another master key, secrets under other data keys.

While everything runs: each row is changed by one statement that demands the row to be as it was read, every key that a
reader may still meet is kept, and the newest generation seals from the moment it is there. Killed anywhere, the next
run goes on: what is left to do is read from the rows themselves.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from db.connections import Connection, EnginePool
from db.data_keys import KeyLost, Keyring, WrappedKey, secret_place
from db.envelope import CannotOpen, new_key, open_sealed, seal
from domain.errors import Conflict
from domain.ids import ConnectionId, TenantId

Progress = Callable[[int, int], None]
"""How many are done, of how many; told after each."""

_LOCK = 0x7765_6972_0012  # "weir", 18: one rotation at a time
_BATCH = 200
_COUNT_WRAPPED = "SELECT wrapped_by, count(*) AS count FROM data_key GROUP BY wrapped_by"
_WRAPPED = """
SELECT tenant_id, generation, wrapped, wrapped_by FROM data_key
WHERE wrapped_by <> $1 AND (tenant_id, generation) > ($2, $3) ORDER BY tenant_id, generation LIMIT $4
"""
_REWRAP = """
UPDATE data_key SET wrapped = $3, wrapped_by = $4 WHERE tenant_id = $1 AND generation = $2 AND wrapped = $5
"""
_LATEST = "SELECT tenant_id, max(generation) AS generation FROM data_key GROUP BY tenant_id ORDER BY tenant_id"
_INSERT = """
INSERT INTO data_key (tenant_id, generation, wrapped, wrapped_by, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, generation) DO NOTHING
"""
_RESEAL = "UPDATE {table} SET sealed = $1, generation = $2 WHERE generation = $3 AND sealed = $4 AND {here}"
_STALE = """
FROM {table} AS kept
JOIN data_key AS old ON old.tenant_id = kept.tenant_id AND old.generation = kept.generation
CROSS JOIN LATERAL (
    SELECT generation, wrapped, wrapped_by FROM data_key WHERE tenant_id = kept.tenant_id
    ORDER BY generation DESC LIMIT 1
) AS newest
WHERE kept.generation < newest.generation
"""


class RotationUnderWay(Conflict):
    """Another process replaces keys at this moment."""

    def __init__(self) -> None:
        super().__init__("Another rotation is under way", remedy="Wait until it is done; `weir keys list` shows it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """`sealed` in it is encrypted by the data key of `generation`. `key`: the types of its primary key by name."""

    name: str
    key: Mapping[str, str]
    place: Callable[[asyncpg.Record], Sequence[bytes]]


SEALED = (
    SealedTable(
        name="connection_secret",
        key={"connection_id": "uuid", "name": "text"},
        place=lambda row: secret_place(TenantId(row["tenant_id"]), ConnectionId(row["connection_id"]), row["name"]),
    ),
)
"""Every table that refers to `data_key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What came of it. `lost`: what could not be decrypted, in words, and is as it was."""

    changed: int
    lost: tuple[str, ...] = ()


@asynccontextmanager
async def exclusive(pool: EnginePool) -> AsyncGenerator[Connection]:
    """The only right to replace keys, for as long as the connection lives. Raises RotationUnderWay."""
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise RotationUnderWay
        try:
            yield connection
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def counts(connection: Connection) -> Mapping[bytes, int]:
    """How many data keys each master key has wrapped, by its id."""
    return {bytes(row["wrapped_by"]): row["count"] for row in await connection.fetch(_COUNT_WRAPPED)}


async def stale(connection: Connection) -> int:
    """Secrets that a newer data key of their tenant waits for: more than none means an interrupted renewal."""
    total = 0
    for table in SEALED:
        total += await connection.fetchval(f"SELECT count(*) {_STALE.format(table=table.name)}")
    return total


async def rewrap(connection: Connection, keyring: Keyring, progress: Progress) -> Rotated:
    """Every data key under the keyring's first key. Raises ConnectionError when a key service is away."""
    current, changed, lost = keyring.ids[0], 0, dict[tuple[TenantId, int], str]()
    left = sum(count for wrapped_by, count in (await counts(connection)).items() if wrapped_by != current)
    again = True
    while again:  # a process that had not heard of the new key may have wrapped one meanwhile
        again = False
        async for stored in _wrapped_otherwise(connection, current):
            try:
                data_key = await keyring.unwrap(stored)
            except KeyLost as error:
                lost[stored.tenant_id, stored.generation] = f"tenant {stored.tenant_id}: {error.message}"
                continue
            new = await keyring.wrap(stored.tenant_id, stored.generation, data_key)
            key = (stored.tenant_id, stored.generation)
            await connection.execute(_REWRAP, *key, new.wrapped, new.wrapped_by, stored.wrapped)
            changed, again = changed + 1, True
            progress(changed, max(left, changed))
    return Rotated(changed=changed, lost=tuple(lost.values()))


async def _wrapped_otherwise(connection: Connection, current: bytes) -> AsyncGenerator[WrappedKey]:
    """Data keys that another key has wrapped, each once."""
    tenant, generation = UUID(int=0), 0
    while rows := await connection.fetch(_WRAPPED, current, tenant, generation, _BATCH):
        for row in rows:
            yield WrappedKey(**row)
        tenant, generation = rows[-1]["tenant_id"], rows[-1]["generation"]


async def renew(connection: Connection, keyring: Keyring, now: datetime) -> int:
    """A new data key for every tenant that has one, all at once or none; says for how many.

    Raises ConnectionError when a key service is away.
    """
    made: list[WrappedKey] = []
    for row in await connection.fetch(_LATEST):
        made.append(await keyring.wrap(TenantId(row["tenant_id"]), row["generation"] + 1, new_key()))
    async with connection.transaction():
        rows = [(key.tenant_id, key.generation, key.wrapped, key.wrapped_by, now) for key in made]
        await connection.executemany(_INSERT, rows)
    return len(made)


async def reencrypt(connection: Connection, keyring: Keyring, progress: Progress) -> Rotated:
    """Every secret under the newest data key of its tenant. Raises ConnectionError when a key service is away."""
    left, changed, lost = await stale(connection), 0, dict[str, str]()
    for table in SEALED:
        again = True
        while again:  # who had read the older data key may have sealed with it meanwhile
            again = False
            async for row in _sealed_by_older(connection, table):
                if why := await _resealed(connection, keyring, table, row):
                    lost[why] = why
                    continue
                changed, again = changed + 1, True
                progress(changed, max(left, changed))
    return Rotated(changed=changed, lost=tuple(lost))


async def _sealed_by_older(connection: Connection, table: SealedTable) -> AsyncGenerator[asyncpg.Record]:
    names = ", ".join(f"kept.{name}" for name in table.key)
    after = ", ".join(f"${at}::{type}" for at, type in enumerate(table.key.values(), 2))
    find = f"""
    SELECT {names}, kept.tenant_id, kept.generation, kept.sealed, old.wrapped, old.wrapped_by,
        newest.generation AS new_generation, newest.wrapped AS new_wrapped, newest.wrapped_by AS new_wrapped_by
    {_STALE.format(table=table.name)} AND {{beyond}} ORDER BY {names} LIMIT $1
    """
    rows = await connection.fetch(find.format(beyond="true"), _BATCH)
    while rows:
        for row in rows:
            yield row
        last = [rows[-1][name] for name in table.key]
        rows = await connection.fetch(find.format(beyond=f"({names}) > ({after})"), _BATCH, *last)


async def _resealed(connection: Connection, keyring: Keyring, table: SealedTable, row: asyncpg.Record) -> str | None:
    """Why it could not be; a row that somebody has changed meanwhile is left to the next round."""
    tenant, place = TenantId(row["tenant_id"]), table.place(row)
    keys = (
        WrappedKey(
            tenant_id=tenant,
            generation=row[f"{age}generation"],
            wrapped=row[f"{age}wrapped"],
            wrapped_by=row[f"{age}wrapped_by"],
        )
        for age in ("", "new_")
    )
    try:
        old, new = [await keyring.unwrap(key) for key in keys]
        sealed = seal(new, open_sealed(old, row["sealed"], place), place)
    except (KeyLost, CannotOpen) as error:
        at = ", ".join(str(row[name]) for name in table.key)
        why = error.message if isinstance(error, KeyLost) else "It was changed, moved, or sealed by another key"
        return f"tenant {tenant}, {table.name} {at}: {why}"
    here = " AND ".join(f"{name} = ${at}" for at, name in enumerate(table.key, 5))
    await connection.execute(
        _RESEAL.format(table=table.name, here=here),
        sealed, row["new_generation"], row["generation"], row["sealed"], *(row[name] for name in table.key),
    )  # fmt: skip
    return None
