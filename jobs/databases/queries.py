"""What a driver is asked for: changes when a statement needs another limit or setting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from domain.connections import Connection
from domain.json import JSON, JSONObject
from jobs.databases.failures import DatabaseFailed
from jobs.databases.results import MAX_BYTES, Rows
from jobs.databases.statements import Statement

WIRE_BYTES = 4 * MAX_BYTES
"""What a server may send for one statement: text on the wire is longer than what it becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One statement and its limits. `timeout` in seconds for everything; `enough` rows end the reading early.

    `exact`: decimals come as text.
    """

    statement: Statement
    read_only: bool
    max_rows: int
    timeout: float
    enough: int | None = None
    exact: bool = True

    def rows(self, columns: Iterable[str]) -> Rows:
        return Rows(columns, most=self.max_rows, enough=self.enough, exact=self.exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a database server is and who connects. `tls`: none, require (encrypted), verify (and identified).

    `ca`: certificates in PEM that are trusted instead of the system's.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: str = "verify"
    ca: str | None = None


def server(connection: Connection, port: int) -> Server:
    """What the connection's settings say. Raises DatabaseFailed: CONNECTION_INVALID."""
    settings = connection.settings
    tls = settings.get("tls", "verify")
    if tls not in ("none", "require", "verify"):
        raise _wrong(connection, "tls")
    return Server(
        host=_text(connection, settings, "host"),
        port=_port(connection, settings.get("port", port)),
        database=_text(connection, settings, "database"),
        user=_text(connection, settings, "user"),
        password=connection.secrets.get("password", ""),
        tls=str(tls),
        ca=_text(connection, settings, "ca") if settings.get("ca") else None,
    )


def _text(connection: Connection, settings: Mapping[str, JSON], name: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str) or not value or "\x00" in value:
        raise _wrong(connection, name)
    return value


def _port(connection: Connection, value: JSON) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65_536:
        raise _wrong(connection, "port")
    return value


def _wrong(connection: Connection, name: str) -> DatabaseFailed:
    details: JSONObject = {"connection": connection.name, "setting": name}
    message = f"The setting {name} of the connection {connection.name!r} is missing or wrong"
    return DatabaseFailed("CONNECTION_INVALID", message, remedy="Edit the connection.", details=details)
