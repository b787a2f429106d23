"""Statements on PostgreSQL: one connection and one transaction each, its limits kept by the server too."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import asyncpg
import orjson
from asyncpg.prepared_stmt import PreparedStatement
from asyncpg.types import Type

from jobs.addresses import AddressGuard, shown
from jobs.databases.failures import CONSTRAINT_REMEDY, READ_ONLY_REMEDY, TIMEOUT_REMEDY, DatabaseFailed
from jobs.databases.postgresql_values import bind
from jobs.databases.postgresql_wire import WireLoop
from jobs.databases.queries import WIRE_BYTES, Query, Server
from jobs.databases.results import Result, too_large
from jobs.databases.statements import invalid
from jobs.tls import client_context

PORT = 5432
_BATCH = 100
_UNSPOKEN = frozenset(
    {"COPY", "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"}
)
"""What needs another protocol than that of queries, or would take the transaction into its own hands."""
_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_AGAIN = ("08", "53", "57P", "40001", "40P01", "55P03")
"""SQLSTATEs, or their beginnings, of what may go well another time."""

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def run(server: Server, query: Query, guard: AddressGuard) -> Result:
    """Raises DatabaseFailed, AddressRefused, Unreachable and TimeoutError."""
    if query.statement.keyword in _UNSPOKEN:
        raise invalid(f"{query.statement.keyword} cannot be run here", "Each statement is a transaction of its own.")
    async with _connected(server, query, guard) as connection:
        try:
            await connection.execute(_opening(query))
            statement = await connection.prepare(query.statement.text(lambda slot: f"${slot + 1}"))
            result = await _fetched(statement, query)
            await connection.execute("COMMIT")
            return result
        except asyncpg.PostgresError as error:
            raise _failure(error) from None
        except (asyncpg.InterfaceError, OSError, OverflowError, ValueError) as error:
            if connection.is_closed():
                raise DatabaseFailed("CONNECTION_FAILED", f"The connection broke: {error}", retryable=True) from None
            raise DatabaseFailed("VALUE_INVALID", f"The driver refuses a value: {error}") from None


def _opening(query: Query) -> str:
    """Begins the transaction, with settings for it alone; `jobs.databases.statements` relies on the last one.

    Nobody rolls back: the connection is broken off instead, which cannot wait for a server that does not answer.
    """
    milliseconds = max(1, int(query.timeout * 1000))
    return (
        f"BEGIN {'READ ONLY' if query.read_only else 'READ WRITE'}; SET LOCAL statement_timeout = {milliseconds}; "
        "SET LOCAL TIME ZONE 'UTC'; SET LOCAL standard_conforming_strings = on"
    )


async def _fetched(statement: "PreparedStatement[asyncpg.Record]", query: Query) -> Result:
    values = bind(query.statement, statement.get_parameters())
    attributes = statement.get_attributes()
    rows = query.rows([attribute.name for attribute in attributes])
    if not attributes:
        await statement.fetch(*values)
        return rows.result(_affected(statement.get_statusmsg() or ""))
    types = [attribute.type for attribute in attributes]
    cursor = await statement.cursor(*values)
    while not rows.full and (batch := await cursor.fetch(_BATCH)):
        for record in batch:
            if rows.full:
                break
            rows.add(_plain(value, type) for value, type in zip(record, types, strict=True))
    return rows.result()


def _affected(status: str) -> int:
    """From `INSERT 0 3` or `UPDATE 2`; other statements change no rows."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


def _plain(value: object, type: Type) -> object:
    if value is None:
        return None
    if type.name in ("json", "jsonb"):
        return orjson.loads(cast("str", value))
    if type.name in ("json[]", "jsonb[]"):
        return [None if element is None else orjson.loads(element) for element in cast("list[str | None]", value)]
    return value if type.kind == "scalar" else _members(value)


def _members(value: object) -> object:
    """Composite values and ranges as objects."""
    match value:
        case asyncpg.Record():
            return {name: _members(member) for name, member in value.items()}
        case asyncpg.Range():
            ranged = cast("asyncpg.Range[Any]", value)
            bounds = {"lower": ranged.lower, "upper": ranged.upper}
            return {**bounds, "lowerInc": ranged.lower_inc, "upperInc": ranged.upper_inc, "empty": ranged.isempty}
        case list():
            return [_members(element) for element in cast("list[object]", value)]
        case _:
            return value


@asynccontextmanager
async def _connected(server: Server, query: Query, guard: AddressGuard) -> AsyncGenerator[_Connection]:
    """A connection to a checked address, closed at the end; broken off when the work in it failed."""
    addresses = await guard.addresses(server.host, server.port)
    tls = _tls(server)
    loop = WireLoop(tls=tls is not False, most=WIRE_BYTES)
    try:
        connection: _Connection = await asyncpg.connect(
            host=list(addresses),
            port=[server.port] * len(addresses),
            user=server.user,
            password=server.password,
            database=server.database,
            ssl=tls,
            loop=cast("asyncio.AbstractEventLoop", loop),
            timeout=min(query.timeout, _CONNECT_SECONDS),
            statement_cache_size=0,
            server_settings={"application_name": "weir"},
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise _no_connection(server, error) from None
    try:
        yield connection
    except BaseException as error:
        connection.terminate()
        if loop.exceeded and isinstance(error, DatabaseFailed):
            raise too_large() from None
        raise
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()  # the transaction has ended: whether the farewell arrives does not matter


def _tls(server: Server) -> ssl.SSLContext | bool:
    if server.tls == "none":
        return False
    return client_context(server.host, verify=server.tls == "verify", ca=server.ca)


def _no_connection(server: Server, error: Exception) -> DatabaseFailed:
    where = shown(server.host, server.port)
    if isinstance(error, ssl.SSLError):
        remedy = "Check the server's certificate; the connection's ca names other authorities than the system's."
        return DatabaseFailed("TLS_FAILED", f"No TLS with {where}: {error}", remedy=remedy)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        remedy = "Check user and password of the connection."
        return DatabaseFailed("AUTHENTICATION_FAILED", f"{where} refuses the login: {error}", remedy=remedy)
    if isinstance(error, asyncpg.PostgresError):
        return _failure(error)
    reason = str(error) or type(error).__name__
    return DatabaseFailed("CONNECTION_FAILED", f"No connection to {where}: {reason}", retryable=True)


def _failure(error: asyncpg.PostgresError) -> DatabaseFailed:
    said: Mapping[str, Any] = error.as_dict()
    state = str(said.get("sqlstate") or "")
    message = str(said.get("message") or error)
    shown_members = ("sqlstate", "detail", "hint", "position", "table_name", "column_name", "constraint_name")
    details = {name: str(said[name]) for name in shown_members if said.get(name)}
    if message.startswith("invalid input for query argument"):
        return DatabaseFailed("PARAMETER_INVALID", message, remedy="Give a value of the type the statement expects.")
    match state:
        case "57014":
            message = "The database stopped the statement: it took too long"
            return DatabaseFailed("TIMEOUT", message, retryable=True, remedy=TIMEOUT_REMEDY, details=details)
        case "25006":
            return DatabaseFailed("READ_ONLY", message, remedy=READ_ONLY_REMEDY, details=details)
        case _ if state.startswith("23"):
            return DatabaseFailed("CONSTRAINT_VIOLATED", message, remedy=CONSTRAINT_REMEDY, details=details)
        case _ if state.startswith("08"):
            return DatabaseFailed("CONNECTION_FAILED", message, retryable=True, details=details)
        case _:
            hint = said.get("hint")
            again = state.startswith(_AGAIN)
            remedy = str(hint) if hint else None
            return DatabaseFailed("SQL_ERROR", message, retryable=again, remedy=remedy, details=details)
