"""The `database` node: one statement on a database of the tenant's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Refusal
from domain.graphs import ERROR, OUT
from domain.ids import encode
from domain.json import JSON
from domain.nodes import NodeCategory
from jobs.addresses import AddressGuard, AddressRefused, Unreachable
from jobs.breakers import CircuitOpen
from jobs.databases import mysql, postgresql, sqlite
from jobs.databases.failures import TIMEOUT_REMEDY, DatabaseFailed
from jobs.databases.queries import Query, Server, server
from jobs.databases.results import Result
from jobs.databases.statements import Dialect
from jobs.nodes.base import StepContext, define
from jobs.nodes.database_config import DatabaseConfig, query_of, rules
from jobs.nodes.refusals import refused
from jobs.tls import WrongCertificates

_Ask: TypeAlias = Callable[[Server, Query, AddressGuard], Awaitable[Result]]
_SERVERS: Final[dict[str, tuple[Dialect, _Ask, int]]] = {
    "postgresql": (Dialect.POSTGRESQL, postgresql.run, postgresql.PORT),
    "mysql": (Dialect.MYSQL, mysql.run, mysql.PORT),
}


async def run(step: StepContext, config: DatabaseConfig) -> Outcome:
    try:
        if config.connection is None:
            return await _on_file(step, config, step.config.get("file"), read_only=config.read_only)
        connection = await step.services.connections.get(config.connection)
        read_only = config.read_only or connection.settings.get("readOnly") is True
        if connection.type == "sqlite":
            file_only = read_only or "readOnly" not in connection.settings
            return await _on_file(step, config, connection.settings.get("file"), read_only=file_only)
        return await _on_server(step, config, connection, read_only=read_only)
    except DatabaseFailed as error:
        return _failed(error)
    except Refusal as refusal:
        return refused(refusal)


def _failed(error: DatabaseFailed) -> Failed:
    return Failed(
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        remedy=error.remedy,
        details=error.details,
    )


async def _on_file(step: StepContext, config: DatabaseConfig, file: JSON, *, read_only: bool) -> Outcome:
    query = await query_of(step, config, Dialect.SQLITE, read_only=read_only)
    try:
        result = await sqlite.run(
            file, query, step.services.files, tenant_id=step.tenant_id, execution_id=step.execution_id
        )
    except TimeoutError:
        raise _too_long(query) from None
    output = _output(result, config.output_format)
    return Completed(output=output if result.file is None else {"result": output, "file": result.file.as_json()})


async def _on_server(step: StepContext, config: DatabaseConfig, connection: Connection, *, read_only: bool) -> Outcome:
    if connection.type not in _SERVERS:
        message = f"The connection {connection.name!r} is of type {connection.type}, which is no database"
        raise DatabaseFailed("CONNECTION_INVALID", message, remedy="Name one of a database.")
    dialect, ask, port = _SERVERS[connection.type]
    query = await query_of(step, config, dialect, read_only=read_only)
    where = server(connection, port)
    key = f"{encode('connection', connection.id)}:{connection.revision}"
    try:
        async with step.services.breaker.guard(key, step.timeout) as call:
            try:
                async with asyncio.timeout(query.timeout):
                    result = await ask(where, query, step.services.addresses)
            except (DatabaseFailed, AddressRefused, Unreachable, WrongCertificates, TimeoutError) as error:
                failure = _told(error, query)
                if failure.code == "CONNECTION_FAILED":
                    call.failed()
                elif not isinstance(error, DatabaseFailed):  # else the server has answered
                    call.ignored()
                return _failed(failure)
    except CircuitOpen as error:
        return error.outcome()
    return Completed(output=_output(result, config.output_format))


def _told(error: Exception, query: Query) -> DatabaseFailed:
    match error:
        case DatabaseFailed():
            return error
        case AddressRefused():
            return DatabaseFailed("ADDRESS_REFUSED", error.message, remedy=error.remedy)
        case Unreachable():
            return DatabaseFailed("CONNECTION_FAILED", f"No connection: {error}", retryable=True)
        case WrongCertificates():
            return DatabaseFailed("CONNECTION_INVALID", f"The connection's ca is no certificate: {error}")
        case _:
            return _too_long(query)


def _too_long(query: Query) -> DatabaseFailed:
    message = f"The database gave no answer within {query.timeout:g} s"
    return DatabaseFailed("TIMEOUT", message, retryable=True, remedy=TIMEOUT_REMEDY)


def _output(result: Result, output_format: str) -> JSON:
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    match output_format:
        case "first":
            return rows[0] if rows else None
        case "value":
            return result.rows[0][0] if result.rows and result.rows[0] else None
        case "columns":
            return {name: [row[at] for row in result.rows] for at, name in enumerate(result.columns)}
        case "count":
            return result.affected
        case _:
            return cast("JSON", rows)


KIND = define(
    name="database",
    title="Database",
    description="Runs one statement on PostgreSQL, MySQL, MariaDB or an SQLite file.",
    category=NodeCategory.INTEGRATION,
    config=DatabaseConfig,
    run=run,
    rules=rules,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
**Values are bound, never written into the text.** `parameters` is an object for `:name`, or a list for `$1`, `$2`, …
(`?` too, but in PostgreSQL). The value of an expression in `query` is bound as well: write
`WHERE id = {{ input.id }}`, without quotes around it. Only a query that is nothing but one expression is taken as the
statement itself. Lists fit `= ANY(:ids)` in PostgreSQL; objects are written as JSON.

Instead of a `query` the actions select, insert, update and delete take a `table` with `values` and `where`. An update
or delete without `where` is refused.

**Output** by `outputFormat`: `rows` a list of objects, `first` the first one or null, `value` its first column,
`columns` an object of lists, `count` the number of rows changed or returned. A column whose name occurs again gets a
number (`id_2`). Dates are ISO 8601, intervals seconds, binary values base64, JSON columns JSON, and decimals text
unless `decimals` is `number`. For statements that may change an SQLite file the output is `{result, file}`: the stored
file stays as it is, `file` refers to the new one.

**One statement, one transaction.** When anything fails nothing is changed. A second statement is refused. With the
action `select`, or `readOnly` here or in the connection, the database itself refuses every change.

**Limits.** `timeout` seconds, which the database keeps too, `maxRows` rows, 16 MiB; SQLite files 32 MiB and 60 seconds.
Beyond them the step fails: nothing is cut off silently.

**At least once.** A step that is repeated after a crash runs its statement again. Make that harmless: a key such as
`{{ execution.id }}` with `ON CONFLICT DO NOTHING` or `ON DUPLICATE KEY UPDATE`.

**Errors.** `CONSTRAINT_VIOLATED`, `SQL_ERROR` (the SQLSTATE is in `error.details.sqlstate`; deadlocks and the like are
tried again), `READ_ONLY`, `STATEMENT_INVALID`, `ACTION_MISMATCH`, `PARAMETER_MISSING`, `PARAMETER_UNUSED`,
`PARAMETER_INVALID`, `VALUE_INVALID`, `TOO_MANY_ROWS`, `RESULT_TOO_LARGE`, `RESULT_TOO_DEEP`, `TIMEOUT`,
`CONNECTION_FAILED`, `CIRCUIT_OPEN` (these three are tried again when the node has a `retry`), `AUTHENTICATION_FAILED`,
`TLS_FAILED`, `CONNECTION_INVALID`, `ADDRESS_REFUSED`; for files `FILE_INVALID`, `FILE_MISSING`, `FILE_TOO_LARGE`,
`FILE_REFUSED`, `SQLITE_STOPPED`.

**Private addresses** are refused unless an administrator allows the host and port (`WEIR_HTTP_ALLOW`).
""",
    examples={
        "Read": {
            "connection": "shop",
            "action": "select",
            "query": "SELECT id, total FROM orders WHERE customer = :customer AND placed_at > :since",
            "parameters": {"customer": "{{ input.customer }}", "since": "2026-01-01T00:00:00Z"},
        },
        "Write, once however often it is repeated": {
            "connection": "shop",
            "action": "insert",
            "query": "INSERT INTO payments (id, total) VALUES ({{ execution.id }}, {{ input.total }}) "
            "ON CONFLICT DO NOTHING",
            "outputFormat": "count",
        },
        "Write without SQL": {
            "connection": "shop",
            "action": "update",
            "table": "orders",
            "values": {"status": "shipped"},
            "where": {"id": "{{ input.id }}", "status": ["new", "paid"]},
            "outputFormat": "count",
        },
        "Ask an uploaded file": {
            "file": "{{ input.file }}",
            "action": "select",
            "query": "SELECT sum(amount) FROM expenses",
            "outputFormat": "value",
        },
    },
)
