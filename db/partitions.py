"""Changes when executions and their logs are divided, or dropped, by another rule.

Both tables are range-partitioned by the execution's UUIDv7, whose first 48 bits are milliseconds since 1970, so a
month of executions is one partition of each. What runs here is DDL: give it a connection of the login that owns the
tables, before any SET ROLE.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.connections import ENGINE_ROLE, Connection

TABLES = ("execution", "execution_event")
_KEYS = {"execution": "id", "execution_event": "execution_id"}
_MOVE = """
ALTER TABLE {default} NO FORCE ROW LEVEL SECURITY;
WITH moved AS (DELETE FROM {default} WHERE {key} >= '{low}' AND {key} < '{high}' RETURNING *)
    INSERT INTO {new} SELECT * FROM moved;
ALTER TABLE {default} FORCE ROW LEVEL SECURITY
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = 0x7765_6972_0002  # "weir", 2: partitions are made and dropped by one session at a time


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, at: datetime) -> "Month":
        utc = at.astimezone(UTC)
        return cls(utc.year, utc.month)

    def plus(self, months: int) -> "Month":
        years, zero_based = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(years, zero_based + 1)

    @property
    def first_id(self) -> UUID:
        """The least UUID a UUIDv7 of this month may be greater than (RFC 9562, section 5.7)."""
        return first_id(datetime(self.year, self.number, 1, tzinfo=UTC))

    def partition(self, table: str) -> str:
        return f"{table}_{self.year:04}_{self.number:02}"


def first_id(at: datetime) -> UUID:
    """Every UUIDv7 made at or after `at` (to the millisecond) is greater, every earlier one smaller."""
    return UUID(int=(at - _EPOCH) // timedelta(milliseconds=1) << 80)


async def ensure_ahead(connection: Connection, *, months: int = 2) -> list[str]:
    """Partitions for this month, by the database's clock, and the next `months`; gives the names of new ones.

    Repeating it, also in several processes at once, does nothing more. Raises asyncpg.LockNotAvailableError when the
    tables are busy for seconds: nothing has changed, try again later.
    """
    async with connection.transaction():
        await _alone(connection)
        now: datetime = await connection.fetchval("SELECT now()")
        wanted = [Month.of(now).plus(ahead) for ahead in range(months + 1)]
        return [name for month in wanted for table in TABLES for name in await _ensure(connection, table, month)]


async def drop_before(connection: Connection, month: Month) -> list[str]:
    """Drop the partitions of months before `month` in which no execution is alive; gives the names of those dropped.

    A month with a live execution stays whole, with its log. What belongs to no month (the DEFAULT partitions) stays.
    Raises asyncpg.LockNotAvailableError as `ensure_ahead` does.
    """
    async with connection.transaction():
        await _alone(connection)
        dropped: list[str] = []
        for old in await _months(connection):
            if old < month and not await _lives(connection, old):
                dropped += await _drop(connection, old)
        return dropped


async def _alone(connection: Connection) -> None:
    await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
    # Everything that wants the tables queues behind a waiting DDL statement, so it must not wait for long.
    await connection.execute("SET LOCAL lock_timeout = '3s'")


async def _ensure(connection: Connection, table: str, month: Month) -> list[str]:
    name = month.partition(table)
    if await connection.fetchval("SELECT to_regclass($1)", name):
        return []
    low, high = month.first_id, month.plus(1).first_id
    # Made apart and then attached: making it in place would lock the whole table against readers.
    await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
    await _move_from_default(connection, table, name, low, high)
    await connection.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}');"
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    return [name]


async def _move_from_default(connection: Connection, table: str, name: str, low: UUID, high: UUID) -> None:
    """Rows that came while their month had no partition; nobody may write them meanwhile."""
    default = f"{table}_default"
    await connection.execute(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE")
    await connection.execute(_MOVE.format(default=default, key=_KEYS[table], low=low, high=high, new=name))


async def _months(connection: Connection) -> list[Month]:
    """Those with a partition, oldest first."""
    names = await connection.fetch(
        "SELECT substring(relname FROM 'execution_(.*)') AS month FROM pg_inherits JOIN pg_class ON oid = inhrelid "
        "WHERE inhparent = 'execution'::regclass AND relname ~ '^execution_[0-9]{4}_[0-9]{2}$' ORDER BY relname"
    )
    return [Month(*map(int, row["month"].split("_"))) for row in names]


async def _lives(connection: Connection, month: Month) -> bool:
    """Whether an execution of the month is unfinished; it cannot become so later, since terminal is final."""
    # Through the parent and as the engine, because a partition shows nothing to anybody.
    await connection.execute(f"SET LOCAL ROLE {ENGINE_ROLE}")
    alive = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM execution WHERE id >= $1 AND id < $2"
        " AND status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED'))",
        month.first_id,
        month.plus(1).first_id,
    )
    await connection.execute("RESET ROLE")
    return bool(alive)


async def _drop(connection: Connection, month: Month) -> list[str]:
    names = [month.partition(table) for table in TABLES]
    await connection.execute("".join(f"DROP TABLE IF EXISTS {name};" for name in names))
    return names
