"""Trying connections out: connect as a step would, sign in, change nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from time import perf_counter

from domain.connections import Connection, Tried
from jobs import smtp
from jobs.addresses import AddressRefused, Unreachable
from jobs.databases import mysql, postgresql
from jobs.databases.failures import DatabaseFailed
from jobs.databases.queries import Query, server
from jobs.databases.statements import Dialect, read
from jobs.http_credentials import credentials
from jobs.masking import Secrets
from jobs.outgoing import Outgoing, OutgoingError, OutgoingRequest
from jobs.tls import WrongCertificates

SECONDS = 10.0
_LONGEST = 500
_CREDENTIALS_REFUSED = frozenset({401, 403, 407})


class RealConnectionTester:
    """Implements `domain.connections.ConnectionTester`; connects to no address that steps may not connect to."""

    def __init__(self, http: Outgoing, *, seconds: float = SECONDS) -> None:
        self._http = http
        self._seconds = seconds
        self._tests: Mapping[str, Callable[[Connection], Awaitable[Tried]]] = {
            "smtp": self._smtp,
            "postgresql": self._postgresql,
            "mysql": self._mysql,
            "http": self._root,
            "openai": self._models,
        }

    async def test(self, connection: Connection) -> Tried:
        test = self._tests.get(connection.type)
        if test is None:
            message = f"A connection of type {connection.type} cannot be tried out by itself"
            return Tried(ok=False, message=message, remedy="Run a workflow with a node that uses it.")
        began = perf_counter()
        tested = await self._told(test, connection)
        message = _masked(tested.message, connection.secrets)
        return replace(tested, message=message, ms=round((perf_counter() - began) * 1000, 3))

    async def _told(self, test: Callable[[Connection], Awaitable[Tried]], connection: Connection) -> Tried:
        """What the test says; its failures in words."""
        try:
            async with asyncio.timeout(self._seconds):
                return await test(connection)
        except (AddressRefused, OutgoingError, DatabaseFailed, smtp.SmtpFailed) as error:
            return Tried(ok=False, message=error.message, remedy=error.remedy)
        except WrongCertificates as error:
            return Tried(ok=False, message=f"The certificates in ca are none: {error}", remedy="Give them in PEM.")
        except TimeoutError:
            message = f"No complete answer within {self._seconds:g} s"
            return Tried(ok=False, message=message, remedy="Check host and port, and tls.")
        except Unreachable as error:
            return Tried(ok=False, message=f"No connection: {error}", remedy="Check host and port.")

    async def _smtp(self, connection: Connection) -> Tried:
        await smtp.check(smtp.mail_server(connection), self._http.addresses, timeout=self._seconds)
        return Tried(ok=True, message="The mail server answers")

    async def _postgresql(self, connection: Connection) -> Tried:
        query = self._query(Dialect.POSTGRESQL)
        await postgresql.run(server(connection, postgresql.PORT), query, self._http.addresses)
        return Tried(ok=True, message="The database answers")

    async def _mysql(self, connection: Connection) -> Tried:
        query = self._query(Dialect.MYSQL)
        await mysql.run(server(connection, mysql.PORT), query, self._http.addresses)
        return Tried(ok=True, message="The database answers")

    async def _root(self, connection: Connection) -> Tried:
        return await self._asked(connection, "")

    async def _models(self, connection: Connection) -> Tried:
        return await self._asked(connection, "/models")

    async def _asked(self, connection: Connection, path: str) -> Tried:
        given = credentials(connection)
        if given is None:
            raise TypeError(f"{connection.type} has no HTTP credentials")
        url = given.base_url.rstrip("/") + path
        # A redirect is an answer too: it is not followed to whoever it names.
        request = OutgoingRequest(
            method="GET", url=url, credentials=given, timeout=self._seconds, follow_redirects=False
        )
        status = (await self._http.send(request)).status
        message = f"The service answers with the status {status}"
        if status in _CREDENTIALS_REFUSED:
            return Tried(ok=False, message=message, remedy="Check auth and the secrets.")
        return Tried(ok=status < 500, message=message, remedy="Check the service." if status >= 500 else None)

    def _query(self, dialect: Dialect) -> Query:
        return Query(statement=read("SELECT 1", dialect, []), read_only=True, max_rows=1, timeout=self._seconds)


def _masked(message: str, secrets: Mapping[str, str]) -> str:
    """Without the secrets, which a server may have put into what it answered."""
    return Secrets(secrets.values()).masked(message)[:_LONGEST]
