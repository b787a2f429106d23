"""Statements on MySQL and MariaDB: one connection and one transaction each, its limits kept by the server too."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import orjson
from pymysql.converters import escape_item
from pymysql.err import Error, IntegrityError

from domain.expressions.templates import text_of
from domain.json import JSON
from jobs.addresses import AddressGuard, Unreachable, shown
from jobs.databases.failures import CONSTRAINT_REMEDY, READ_ONLY_REMEDY, TIMEOUT_REMEDY, DatabaseFailed
from jobs.databases.mysql_connection import CHARSET, MysqlConnection
from jobs.databases.queries import Query, Server
from jobs.databases.results import Result, too_large

PORT = 3306
_CONNECT_SECONDS = 10.0
_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Without ANSI_QUOTES and NO_BACKSLASH_ESCAPES: statements and values are written for this reading of quotes."""

_REFUSED_LOGIN = frozenset({1044, 1045, 1698, 2059})
_TIMED_OUT = frozenset({1969, 3024, 3019})
_READ_ONLY = frozenset({1792, 1290, 1836})
_LOST = frozenset({1053, 1927, 2002, 2003, 2006, 2013, 2055})
_AGAIN = _LOST | {1040, 1203, 1205, 1213, 1226}
_CONSTRAINTS = frozenset({1048, 1062, 1169, 1216, 1217, 1451, 1452, 1586, 3819, 4025})
_BROKEN = (Error, OSError, RuntimeError, LookupError, ValueError, AssertionError, struct.error)
"""What aiomysql raises, the last five for a server that does not speak as it should."""


async def run(server: Server, query: Query, guard: AddressGuard) -> Result:
    """Raises DatabaseFailed, AddressRefused, Unreachable and TimeoutError."""
    sql = query.statement.text(lambda slot: _literal(query.statement.values[slot]))
    async with _connected(server, query, guard) as connection:
        meter = connection.metered()
        try:
            await connection.execute(_settings(query.timeout, mariadb=connection.mariadb))
            if query.read_only:  # for the session, so that what commits by itself does not end it
                await connection.execute("SET SESSION TRANSACTION READ ONLY")
            await connection.execute("START TRANSACTION")
            result = await _fetched(connection, sql, query)
            if not query.read_only:
                await connection.execute("COMMIT")
            return result
        except _BROKEN as error:
            raise (too_large() if meter.exceeded else _failure(error)) from None


def _literal(value: JSON) -> str:
    """aiomysql has no server-side parameters: a value is written as a literal by its driver's own rules."""
    plain = value if value is None or isinstance(value, str | int | float) else text_of(value)
    return str(escape_item(plain, CHARSET))


def _settings(timeout: float, *, mariadb: bool) -> str:
    bound = f"max_statement_time = {timeout:.3f}" if mariadb else f"max_execution_time = {max(1, int(timeout * 1000))}"
    waits = max(1, int(timeout))
    return (
        f"SET SESSION sql_mode = '{_MODE}', time_zone = '+00:00', {bound}, "
        f"lock_wait_timeout = {waits}, innodb_lock_wait_timeout = {waits}"
    )


async def _fetched(connection: MysqlConnection, sql: str, query: Query) -> Result:
    answer = await connection.ask(sql)
    rows = query.rows(answer.columns)
    if answer.rows is None:
        return rows.result(answer.affected)
    async for row in answer.rows:
        if not rows.full:
            rows.add(_plain(value, document) for value, document in zip(row, answer.documents, strict=True))
        elif query.read_only:  # else they are read to their end: there is a transaction to commit
            break
    return rows.result()


def _plain(value: object, document: bool) -> object:
    return orjson.loads(value) if document and isinstance(value, str | bytes) else value


@asynccontextmanager
async def _connected(server: Server, query: Query, guard: AddressGuard) -> AsyncGenerator[MysqlConnection]:
    """A connection to a checked address, closed at the end; broken off when the work in it failed."""
    connection = await _opened(server, await guard.addresses(server.host, server.port), query.timeout)
    try:
        yield connection
        with contextlib.suppress(*_BROKEN):  # the transaction has ended: whether the farewell arrives does not matter
            await connection.farewell()
    finally:
        connection.close()


async def _opened(server: Server, addresses: Sequence[str], timeout: float) -> MysqlConnection:
    failure: Exception = Unreachable("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(min(timeout, _CONNECT_SECONDS)):
                return await MysqlConnection.open(server, address)
        except _BROKEN as error:
            failure = error
    raise _no_connection(server, failure)


def _no_connection(server: Server, error: Exception) -> DatabaseFailed:
    where = shown(server.host, server.port)
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        remedy = "Check the server's certificate; the connection's ca names other authorities than the system's."
        return DatabaseFailed("TLS_FAILED", f"No TLS with {where}: {cause}", remedy=remedy)
    number, message = _told(error)
    if number in _REFUSED_LOGIN:
        remedy = "Check user, password and database of the connection."
        return DatabaseFailed("AUTHENTICATION_FAILED", f"{where} refuses the login: {message}", remedy=remedy)
    if number is not None and number not in _AGAIN:
        return _failure(error)
    reason = str(cause) or type(cause).__name__
    return DatabaseFailed("CONNECTION_FAILED", f"No connection to {where}: {reason}", retryable=True)


def _told(error: Exception) -> tuple[int | None, str]:
    if isinstance(error, Error) and len(error.args) >= 2 and isinstance(error.args[0], int):
        return error.args[0], str(error.args[1])
    return None, str(error) or type(error).__name__


def _failure(error: Exception) -> DatabaseFailed:
    number, message = _told(error)
    if number is None or number in _LOST:
        return DatabaseFailed("CONNECTION_FAILED", f"The connection broke: {message}", retryable=True)
    state = error.sqlstate if isinstance(error, Error) else None
    details: dict[str, JSON] = {"errno": number, **({"sqlstate": state} if state else {})}
    if number in _TIMED_OUT:
        message = "The database stopped the statement: it took too long"
        return DatabaseFailed("TIMEOUT", message, retryable=True, remedy=TIMEOUT_REMEDY, details=details)
    if number in _READ_ONLY:
        return DatabaseFailed("READ_ONLY", message, remedy=READ_ONLY_REMEDY, details=details)
    if number in _CONSTRAINTS or isinstance(error, IntegrityError):
        return DatabaseFailed("CONSTRAINT_VIOLATED", message, remedy=CONSTRAINT_REMEDY, details=details)
    return DatabaseFailed("SQL_ERROR", message, retryable=number in _AGAIN, details=details)
