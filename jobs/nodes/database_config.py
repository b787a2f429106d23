"""What the config of a `database` node asks for: its model, what is wrong with it, and the query it stands for."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, assert_never, cast

from pydantic import Field

from domain.errors import Finding
from domain.json import JSON, JSONObject, is_list
from jobs.databases import builder
from jobs.databases.failures import DatabaseFailed
from jobs.databases.queries import Query
from jobs.databases.statements import READING, Dialect, Parameters, Statement, invalid, read, stand_in
from jobs.nodes.base import NodeConfig, StepContext
from jobs.nodes.fields import ConnectionOf, TemplateField

DEFAULT_TIMEOUT: Final = 30.0
_SLOW_TO_READ: Final = 5_000
"""Characters from which on a statement is read in a thread."""
_BEGINNINGS: Final = {
    "select": READING,
    "insert": frozenset({"INSERT", "REPLACE", "MERGE", "WITH"}),
    "update": frozenset({"UPDATE", "MERGE", "WITH"}),
    "delete": frozenset({"DELETE", "WITH"}),
}

Action = Literal["select", "insert", "update", "delete", "query"]
Row = dict[str, object]


class DatabaseConfig(NodeConfig):
    connection: Annotated[str, ConnectionOf("postgresql", "mysql", "sqlite")] | None = Field(
        None, description="The connection's name: PostgreSQL, MySQL, MariaDB or SQLite."
    )
    file: object = Field(None, description="A reference to an SQLite file, in place of a connection.")
    action: Action = Field("query", description="What the statement does; select only reads, query does anything.")
    query: TemplateField | None = Field(
        None, description="One SQL statement. The value of an expression in it is bound, never written into the text."
    )
    parameters: dict[str, object] | list[object] | None = Field(
        None, description="Values for :name (an object), or for $1, $2, … (a list)."
    )
    table: Annotated[str, Field(min_length=1, max_length=300)] | None = Field(
        None, description="The table, in place of a query; `schema.table` where there are schemas."
    )
    values: Row | list[Row] | None = Field(
        None, description="With table: the columns to write; for insert a list of rows too."
    )
    where: Row | None = Field(
        None, description="With table: the rows that have all of these values; a list means any of its values."
    )
    output_format: Literal["rows", "first", "value", "columns", "count"] = Field(
        "rows", description="What the output is."
    )
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = Field(1_000, description="More rows than these are an error.")
    timeout: Annotated[float, Field(gt=0, le=600)] = Field(DEFAULT_TIMEOUT, description="Seconds for everything.")
    read_only: bool = Field(False, description="Whether the database is to refuse every change.")
    decimals: Literal["text", "number"] = Field(
        "text", description="Whether decimals and very large whole numbers are text, and exact, or the nearest number."
    )


async def query_of(step: StepContext, config: DatabaseConfig, dialect: Dialect, *, read_only: bool) -> Query:
    """The query, its parameters bound. `read_only`: the connection or the config says so.

    Raises DatabaseFailed for a statement that cannot be, and EvaluationError.
    """
    statement = await _statement(step, config, dialect)
    expected = _BEGINNINGS.get(config.action)
    if expected is not None and statement.keyword not in expected:
        message = f"The action is {config.action}, and the statement begins with {statement.keyword[:20]}"
        raise DatabaseFailed("ACTION_MISMATCH", message, remedy="Choose the action query for statements of any kind.")
    read_only = read_only or config.action == "select"
    if read_only and statement.keyword not in READING:
        message = f"A statement that begins with {statement.keyword[:20]} is not read-only"
        raise DatabaseFailed("READ_ONLY", message, remedy="Leave out readOnly, here and in the connection, to change.")
    return Query(
        statement=statement,
        read_only=read_only,
        max_rows=config.max_rows,
        timeout=min(config.timeout, step.timeout or config.timeout),
        enough=1 if config.output_format in ("first", "value") else None,
        exact=config.decimals == "text",
    )


async def _statement(step: StepContext, config: DatabaseConfig, dialect: Dialect) -> Statement:
    text, inline = await _text(step, config)
    if text is None:
        return _built(step.config, config.action, dialect)
    parameters = cast("Parameters | None", step.config.get("parameters"))
    given: Parameters = {} if parameters is None else parameters
    if len(text) > _SLOW_TO_READ:
        return await asyncio.to_thread(read, text, dialect, given, inline)
    return read(text, dialect, given, inline)


async def _text(step: StepContext, config: DatabaseConfig) -> tuple[str | None, Sequence[JSON]]:
    """The statement with stand-ins for the values of its expressions; one expression alone is the statement."""
    template = config.query
    if template is None:
        return None, ()
    text = template.fill([stand_in(at) for at in range(len(template.expressions))])
    values: Sequence[JSON] = ()
    if template.expressions:
        collected = await step.services.render(replace(template, build=_all), step.scope)
        values = cast("Sequence[JSON]", collected)
        text, values = (values[0], ()) if text == stand_in(0) else (text, values)
    if text is not None and not isinstance(text, str):
        raise invalid("query is no text", "Write one SQL statement.")
    return text, values


def _all(values: Sequence[JSON]) -> JSON:
    return list(values)


def _built(config: JSONObject, action: Action, dialect: Dialect) -> Statement:
    """From table, values and where; `config` holds them as the model has checked them."""
    table, where = config.get("table"), cast("JSONObject", config.get("where") or {})
    values = cast("Mapping[str, JSON] | Sequence[Mapping[str, JSON]]", config.get("values") or {})
    rows = [values] if isinstance(values, Mapping) else values
    if not isinstance(table, str):
        raise invalid("There is neither a query nor a table", "Give query, or table and what belongs to it.")
    match action:
        case "select":
            return builder.select(dialect, table, where)
        case "insert":
            return builder.insert(dialect, table, rows)
        case "update":
            if len(rows) != 1:
                raise invalid("values is a list", "Give the new values as one object.")
            return builder.update(dialect, table, rows[0], where)
        case "delete":
            return builder.delete(dialect, table, where)
        case "query":
            raise invalid("The action query needs a query", "Give query, or choose another action.")
        case _:
            assert_never(action)


def rules(config: JSONObject) -> Iterator[Finding]:
    if (config.get("connection") is None) == (config.get("file") is None):
        message = "There is no connection" if config.get("file") is None else "There are a connection and a file"
        yield Finding(
            code="WRONG_CONNECTION", message=message, path=("connection",), remedy="Give either connection or file."
        )
    action, query = config.get("action", "query"), config.get("query")
    if query is None:
        if config.get("table") is None or action == "query":
            yield _missing("query", "Write a statement, or choose another action and give table.")
        elif action in ("insert", "update") and not config.get("values"):
            yield _missing("values", "Give the columns to write.")
        elif action in ("update", "delete") and not config.get("where"):
            yield _missing("where", "Say which rows; write the statement in query if every row is meant.")
        if action == "update" and is_list(config.get("values")):
            yield Finding(code="WRONG_SHAPE", message="values is a list", path=("values",), remedy="Give one object.")
    elif isinstance(query, str) and "{{" not in query:
        yield from _statement_findings(query, config)


def _statement_findings(query: str, config: JSONObject) -> Iterator[Finding]:
    """Which database it is for is known only when it runs: what one of them takes is right."""
    given = config.get("parameters")
    parameters: Any = given if isinstance(given, Mapping) or is_list(given) else {}
    problems: list[DatabaseFailed] = []
    for dialect in Dialect:
        try:
            read(query, dialect, parameters)
            return
        except DatabaseFailed as error:
            problems.append(error)
    first = problems[0]
    path = ("query",) if first.code == "STATEMENT_INVALID" else ("parameters",)
    yield Finding(code=first.code, message=first.message, path=path, remedy=first.remedy)


def _missing(name: str, remedy: str) -> Finding:
    return Finding(code="MISSING", message=f"{name!r} is missing", path=(name,), remedy=remedy)
