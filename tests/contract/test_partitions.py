"""Executions and their logs lie in the month of their id, are found there at once, and leave a month at a time."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat as uuid

from app.stack import Stack
from db.connections import ENGINE_ROLE, Connection
from db.migrate import migrate
from db.partitions import Month, drop_before, ensure_ahead, first_id
from tests.databases import new_database

NEXT_MONTHS = 3  # this one and two ahead
INSERT = """
INSERT INTO execution (id, tenant_id, workflow_id, version_id, status, created_at, trigger_type)
VALUES ($1, $1, $1, $1, $2, now(), 'API')
"""
INSERT_EVENT = """
INSERT INTO execution_event (execution_id, seq, tenant_id, epoch, kind, payload, at)
VALUES ($1, 1, $1, 0, 'EXECUTION_STARTED', '{}', now())
"""


@pytest.fixture(scope="module")
async def own(stack: Stack) -> AsyncGenerator[str]:
    """A database of this module's own: partitions are made and dropped in it."""
    async with new_database(stack.database_url) as dsn:
        await migrate(dsn)
        yield dsn


@pytest.fixture
async def owner(own: str) -> AsyncGenerator[Connection]:
    """The login that owns the tables, with the partitions that a migration makes and no row."""
    connection: Connection = await asyncpg.connect(own)
    await connection.execute("TRUNCATE execution, execution_event")
    yield connection
    await connection.close()


@pytest.fixture
async def engine(own: str) -> AsyncGenerator[Connection]:
    connection: Connection = await asyncpg.connect(own, server_settings={"role": ENGINE_ROLE})
    yield connection
    await connection.close()


def id_at(at: datetime) -> UUID:
    """A UUIDv7 of that moment."""
    return UUID(int=first_id(at).int | uuid.uuid7().int & ((1 << 80) - 1))


async def add(engine: Connection, at: datetime, status: str = "COMPLETED") -> UUID:
    """An execution of that moment, with its first event."""
    execution = id_at(at)
    await engine.execute(INSERT, execution, status)
    await engine.execute(INSERT_EVENT, execution)
    return execution


async def make_month(owner: Connection, month: Month) -> None:
    """The partitions of a month that is past, as they were made when it was to come."""
    for table in ("execution", "execution_event"):
        await owner.execute(
            f"CREATE TABLE {month.partition(table)} PARTITION OF {table}"
            f" FOR VALUES FROM ('{month.first_id}') TO ('{month.plus(1).first_id}')"
        )


async def place_of(engine: Connection, execution: UUID) -> list[str]:
    """The partitions that hold the execution and its event."""
    return [
        await engine.fetchval("SELECT tableoid::regclass::text FROM execution WHERE id = $1", execution),
        await engine.fetchval(
            "SELECT tableoid::regclass::text FROM execution_event WHERE execution_id = $1", execution
        ),
    ]


def names(month: Month) -> list[str]:
    return [month.partition("execution"), month.partition("execution_event")]


def test_a_months_ids_are_those_made_between_its_first_and_last_millisecond() -> None:
    december = Month(2026, 12)
    start, end = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    assert (december.plus(1), december.plus(-12)) == (Month(2027, 1), Month(2025, 12))
    assert id_at(start - timedelta(milliseconds=1)) < december.first_id < id_at(start)
    assert id_at(end - timedelta(milliseconds=1)) < december.plus(1).first_id < id_at(end)
    assert december.first_id == UUID("01a22ee6-b000-0000-0000-000000000000")
    assert Month.of(datetime(2026, 11, 30, 22, tzinfo=UTC)) == Month(2026, 11)


async def test_partitions_are_made_for_this_month_and_two_ahead_and_not_again(owner: Connection) -> None:
    now = await owner.fetchval("SELECT now()")
    wanted = [name for ahead in range(NEXT_MONTHS) for name in names(Month.of(now).plus(ahead))]

    assert await ensure_ahead(owner) == []
    stored = await owner.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON oid = inhrelid"
        " WHERE relkind = 'r' ORDER BY 1"
    )
    assert [row[0] for row in stored] == sorted([*wanted, "execution_default", "execution_event_default"])


async def test_processes_that_make_partitions_at_once_make_each_once(own: str) -> None:
    connections: list[Connection] = [await asyncpg.connect(own) for _ in range(3)]
    try:
        made = await asyncio.gather(*(ensure_ahead(connection, months=4) for connection in connections))
    finally:
        for connection in connections:
            await connection.close()

    assert sorted(map(len, made)) == [0, 0, 4]


@pytest.mark.parametrize("ahead", range(NEXT_MONTHS))
async def test_an_execution_and_its_log_lie_in_the_month_of_its_id(
    ahead: int, owner: Connection, engine: Connection
) -> None:
    month = Month.of(await owner.fetchval("SELECT now()")).plus(ahead)

    first = await add(engine, datetime(month.year, month.number, 1, tzinfo=UTC))

    assert await place_of(engine, first) == names(month)


async def test_what_has_no_month_lies_in_the_default_until_its_month_is_made(
    owner: Connection, engine: Connection
) -> None:
    far = Month.of(await owner.fetchval("SELECT now()")).plus(7)
    execution = await add(engine, datetime(far.year, far.number, 15, tzinfo=UTC))
    assert await place_of(engine, execution) == ["execution_default", "execution_event_default"]

    assert names(far)[0] in await ensure_ahead(owner, months=7)

    assert await place_of(engine, execution) == names(far)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM execution WHERE id = $1",
        "SELECT * FROM execution WHERE id = ANY(ARRAY[$1::uuid])",
        "UPDATE execution SET status = 'RUNNING' WHERE id = $1",
        "SELECT * FROM execution_event WHERE execution_id = $1 AND seq > 3",
    ],
)
async def test_a_look_up_by_id_reads_one_partition_by_its_key(
    query: str, owner: Connection, engine: Connection
) -> None:
    month = Month.of(await owner.fetchval("SELECT now()"))
    execution = await add(engine, datetime(month.year, month.number, 3, tzinfo=UTC))

    await engine.execute("SET plan_cache_mode = force_generic_plan")  # as a pool's cached statements end up
    await engine.execute("SET enable_seqscan = off")  # an empty table is not worth an index
    plan = "\n".join(row[0] for row in await engine.fetch(f"EXPLAIN (ANALYZE, COSTS off) {query}", execution))

    scanned = {
        line.split(" on ")[1].split()[0]
        for line in plan.splitlines()
        if "Scan" in line and " on " in line and "never executed" not in line
    }
    table = "execution_event" if "execution_event" in query else "execution"
    assert scanned == {month.partition(table)}, plan
    assert f"{month.partition(table)}_pkey" in plan


async def test_old_months_are_dropped_whole_unless_an_execution_in_them_lives(
    owner: Connection, engine: Connection
) -> None:
    done, live, kept = Month(2020, 1), Month(2020, 2), Month(2020, 3)
    for month in (done, live, kept):
        await make_month(owner, month)
    executions = {
        month: await add(engine, datetime(month.year, month.number, 9, tzinfo=UTC), status)
        for month, status in ((done, "FAILED"), (live, "WAITING"), (kept, "COMPLETED"))
    }

    assert await drop_before(owner, Month(2020, 3)) == names(done)
    assert await drop_before(owner, Month(2020, 3)) == []

    left = [row["id"] for row in await engine.fetch("SELECT id FROM execution ORDER BY id")]
    logs = [row["execution_id"] for row in await engine.fetch("SELECT execution_id FROM execution_event ORDER BY 1")]
    assert left == logs == [executions[live], executions[kept]]


async def test_an_id_that_is_no_time_is_refused(engine: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="execution_id_is_time"):
        await engine.execute(INSERT, uuid.uuid4(), "PENDING")
