"""Changes when PostgreSQL turns out to be away, or to refuse a value, in another way."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

OUTAGE = (
    OSError,  # no server, no network; TimeoutError and ConnectionError are among them
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, statement cancelled
    asyncpg.InsufficientResourcesError,  # disk or memory full, too many connections
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,  # deadlock: the other side went first
    asyncpg.ReadOnlySQLTransactionError,  # a fail-over is under way
)
"""The same request may succeed a moment later."""

UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""The same values will never be taken; also what asyncpg raises when it cannot encode an argument."""


@contextmanager
def told_as_connection_error() -> Generator[None]:
    """Turns an outage into ConnectionError, which callers know without knowing the driver."""
    try:
        yield
    except OUTAGE as error:
        raise ConnectionError(f"PostgreSQL is away or busy: {str(error) or type(error).__name__}") from error
