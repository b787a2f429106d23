"""Changes when a column needs a type that Tortoise does not have."""

from typing import TypeVar

from tortoise.fields import JSONField

T = TypeVar("T")


class OrderedJSONField(JSONField[T]):
    """JSON kept as it was written (PostgreSQL's `json`): people see their keys in their own order.

    `jsonb` would sort keys by length and cost the journal a conversion; nothing here is searched by content.
    """

    SQL_TYPE = "JSON"

    class _db_postgres(JSONField._db_postgres):  # pyright: ignore[reportPrivateUsage]  # Tortoise's way to say it
        SQL_TYPE = "JSON"
