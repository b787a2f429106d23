"""Changes when SQL written by hand reaches the application's connection in another way."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tortoise.connection import get_connection

Row = Mapping[str, Any]


async def fetch(sql: str, *arguments: object) -> Sequence[Row]:
    """The rows of a statement, within the tenant's scope; JSON comes as text. Raises NoTenant outside a scope."""
    connection = cast("Any", get_connection("default"))  # Tortoise leaves the types of rows open
    rows: list[dict[str, Any]] = await connection.execute_query_dict(sql, list(arguments))
    return rows


async def fetch_value(sql: str, *arguments: object) -> Any:
    """The first column of the first row; the statement gives at least one."""
    (row,) = await fetch(sql, *arguments)
    return next(iter(row.values()))
