"""aiomysql with types, and with what it lacks: one statement at a time, no login without the TLS that was asked for."""

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiomysql import SSCursor
from aiomysql.connection import Connection
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import decoders

from jobs.databases.metering import Meter
from jobs.databases.queries import WIRE_BYTES, Server
from jobs.tls import client_context

CHARSET = "utf8mb4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """To one statement. `rows` is to be read to its end; None when the statement gives none."""

    columns: tuple[str, ...] = ()
    documents: tuple[bool, ...] = ()
    """Which columns are JSON."""
    affected: int = 0
    rows: AsyncIterator[Sequence[object]] | None = None


class MysqlConnection:
    """Made by `open`; raises what aiomysql raises."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._unread = False

    @classmethod
    async def open(cls, server: Server, address: str) -> "MysqlConnection":
        """Connected to this address and logged in, nothing else said yet."""
        driver = cast("Any", _Driver)(
            host=address,
            port=server.port,
            user=server.user,
            password=server.password,
            db=server.database,
            charset=CHARSET,
            ssl=None if server.tls == "none" else _tls(server),
            conv=_DECODERS,
        )
        driver.client_flag &= ~CLIENT.MULTI_STATEMENTS
        await driver._connect()  # what aiomysql.connect calls, which makes a Connection of its own class
        return cls(driver)

    @property
    def mariadb(self) -> bool:
        return "mariadb" in str(self._driver.server_version).lower()

    def metered(self) -> Meter:
        return Meter.on(self._driver._writer.transport, WIRE_BYTES)

    async def execute(self, sql: str) -> None:
        """A statement without rows."""
        await self._driver.query(sql)

    async def ask(self, sql: str) -> Answer:
        """Rows come as the server sends them, never all at once."""
        cursor = cast("Any", _Cursor(self._driver))
        await cursor.execute(sql)
        if cursor.description is None:
            return Answer(affected=max(0, int(cursor.rowcount)))
        return Answer(
            columns=tuple(str(column[0]) for column in cursor.description),
            documents=tuple(column[1] == FIELD_TYPE.JSON for column in cursor.description),
            rows=self._rows(cursor),
        )

    async def _rows(self, cursor: Any) -> AsyncIterator[Sequence[object]]:
        self._unread = True
        while (row := await cursor.fetchone()) is not None:
            yield row
        self._unread = False

    async def farewell(self) -> None:
        """Ends the connection in good order, which is not possible before all rows are read."""
        if not self._unread:
            await self._driver.ensure_closed()

    def close(self) -> None:
        """Ends the connection now, if it still stands."""
        self._driver.close()


class _Cursor(SSCursor):
    async def _show_warnings(self, conn: object) -> None:
        """Asks for none: aiomysql would write them, and tenants' data with them, to standard error."""


class _Driver(Connection):
    async def _request_authentication(self) -> None:
        this = cast("Any", self)
        if this._ssl_context and not this.server_capabilities & CLIENT.SSL:
            raise ssl.SSLError("the server offers none")  # aiomysql would go on without
        await super()._request_authentication()


def _tls(server: Server) -> ssl.SSLContext:
    return client_context(server.host, verify=server.tls == "verify", ca=server.ca)


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


_DECODERS: dict[int, Any] = {**cast("dict[int, Any]", decoders), FIELD_TYPE.BIT: _bits}
_DECODERS.pop(FIELD_TYPE.TIME)  # it may be longer than a day: left as the text it comes as
