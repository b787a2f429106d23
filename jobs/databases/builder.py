"""Statements written from a table, values and a condition, for those who would rather not write SQL."""

from collections.abc import Mapping, Sequence

from domain.json import JSON, is_list
from jobs.databases.failures import DatabaseFailed
from jobs.databases.statements import MAX_PARAMETERS, Dialect, Statement, invalid

_QUOTE = {Dialect.POSTGRESQL: '"', Dialect.MYSQL: "`", Dialect.SQLITE: '"'}
_LONGEST = 128


class _Text:
    """A statement in the making: text and values in the order in which they come."""

    def __init__(self, dialect: Dialect, keyword: str) -> None:
        self._quote = _QUOTE[dialect]
        self._keyword = keyword
        self._pieces = [""]
        self._names: list[str] = []
        self._values: list[JSON] = []

    def add(self, text: str) -> None:
        self._pieces[-1] += text

    def name(self, name: str) -> None:
        """A quoted identifier. Raises DatabaseFailed for one that no database takes."""
        if not name or len(name) > _LONGEST or "\x00" in name:
            raise invalid(f"{name[:40]!r} is no name of a table or column", f"Names have 1 to {_LONGEST} characters.")
        self.add(self._quote + name.replace(self._quote, self._quote * 2) + self._quote)

    def value(self, name: str, value: JSON) -> None:
        if len(self._values) == MAX_PARAMETERS:
            raise invalid(f"A statement has at most {MAX_PARAMETERS:,} values", "Write fewer rows at a time.")
        self._names.append(name)
        self._values.append(value)
        self._pieces.append("")

    def conditions(self, where: Mapping[str, JSON]) -> None:
        """` WHERE` and the conditions; null means IS NULL, a list any of its values."""
        self.add(" WHERE ")
        for at, (column, value) in enumerate(where.items()):
            self.add(" AND " if at else "")
            self.name(column)
            if value is None:
                self.add(" IS NULL")
            elif is_list(value) and isinstance(value, Sequence):
                self._any(column, value)
            else:
                self.add(" = ")
                self.value(column, value)

    def _any(self, column: str, values: Sequence[JSON]) -> None:
        if not values or None in values:
            raise invalid(f"where.{column[:40]} is an empty list or has a null in it", "Give one value at least.")
        self.add(" IN (")
        for at, value in enumerate(values):
            self.add(", " if at else "")
            self.value(column, value)
        self.add(")")

    def statement(self) -> Statement:
        return Statement(
            pieces=tuple(self._pieces),
            slots=tuple(range(len(self._values))),
            names=tuple(self._names),
            values=tuple(self._values),
            keyword=self._keyword,
        )


def select(dialect: Dialect, table: str, where: Mapping[str, JSON]) -> Statement:
    """All columns of the rows that fit. Raises DatabaseFailed: STATEMENT_INVALID."""
    text = _Text(dialect, "SELECT")
    text.add("SELECT * FROM ")
    _table(text, table)
    if where:
        text.conditions(where)
    return text.statement()


def insert(dialect: Dialect, table: str, rows: Sequence[Mapping[str, JSON]]) -> Statement:
    """All rows in one statement; they have the same columns. Raises DatabaseFailed: STATEMENT_INVALID."""
    columns = list(rows[0]) if rows else []
    if not columns:
        raise invalid("There is nothing to insert", "Give values: a row as an object, or a list of such rows.")
    text = _Text(dialect, "INSERT")
    text.add("INSERT INTO ")
    _table(text, table)
    for at, column in enumerate(columns):
        text.add(", " if at else " (")
        text.name(column)
    text.add(") VALUES ")
    for number, row in enumerate(rows):
        if set(row) != set(columns):
            raise invalid(f"Row {number} of values has other columns than row 0", "Give every row the same columns.")
        for at, column in enumerate(columns):
            text.add(", " if at else ", (" if number else "(")
            text.value(column, row[column])
        text.add(")")
    return text.statement()


def update(dialect: Dialect, table: str, values: Mapping[str, JSON], where: Mapping[str, JSON]) -> Statement:
    """Raises DatabaseFailed: STATEMENT_INVALID, WHERE_MISSING."""
    if not values:
        raise invalid("There is nothing to update", "Give values: an object of columns and their new values.")
    text = _Text(dialect, "UPDATE")
    text.add("UPDATE ")
    _table(text, table)
    for at, (column, value) in enumerate(values.items()):
        text.add(", " if at else " SET ")
        text.name(column)
        text.add(" = ")
        text.value(column, value)
    text.conditions(_given(where, "update"))
    return text.statement()


def delete(dialect: Dialect, table: str, where: Mapping[str, JSON]) -> Statement:
    """Raises DatabaseFailed: STATEMENT_INVALID, WHERE_MISSING."""
    text = _Text(dialect, "DELETE")
    text.add("DELETE FROM ")
    _table(text, table)
    text.conditions(_given(where, "delete"))
    return text.statement()


def _table(text: _Text, table: str) -> None:
    """A name, or schema and name with a point between."""
    for at, part in enumerate(table.split(".")):
        text.add("." if at else "")
        text.name(part)


def _given(where: Mapping[str, JSON], what: str) -> Mapping[str, JSON]:
    if not where:
        message = f"Without a where the {what} would hit every row"
        remedy = "Give where, or write the statement in query if every row is meant."
        raise DatabaseFailed("WHERE_MISSING", message, remedy=remedy)
    return where
