"""Changes when the database roles, or who may become them, change.

Roles belong to the cluster, not to a database, so several databases and several processes make them at once.
"""

import asyncio

import asyncpg

from db.connections import APP_ROLE, ENGINE_ROLE, Connection
from domain.errors import ErrorCode, Refusal

ROLES = (APP_ROLE, ENGINE_ROLE)

_ATTEMPTS = 20
_PAUSE = 0.05  # seconds between attempts; another session's catalogue change is over in less


class RolesMissing(Refusal):
    """The login may neither become the roles nor make that so; the remedy is what an administrator has to run."""

    code = ErrorCode.INVALID_STATE

    def __init__(self, login: str) -> None:
        names = ", ".join(ROLES)
        super().__init__(
            f"The database login {login} cannot use the roles {names}",
            remedy=f"As an administrator: CREATE ROLE … NOLOGIN for those that do not exist, then "
            f'GRANT {names} TO "{login}" WITH INHERIT FALSE, SET TRUE',
        )


async def ensure(connection: Connection) -> None:
    """Both roles exist and the login may SET ROLE to them.

    Needs CREATEROLE only if something is missing; raises RolesMissing. The login does not inherit them: a connection
    that forgot SET ROLE has their rights on nothing.
    """
    for attempt in range(_ATTEMPTS):
        try:
            for role in ROLES:
                await _ensure_role(connection, role)
            return
        except (
            asyncpg.DuplicateObjectError,
            asyncpg.UniqueViolationError,
            asyncpg.InternalServerError,  # "tuple concurrently updated": another session was quicker
        ):
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(_PAUSE)
        except asyncpg.InsufficientPrivilegeError as error:
            raise RolesMissing(await connection.fetchval("SELECT current_user")) from error


async def _ensure_role(connection: Connection, role: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} NOLOGIN")
    if not await connection.fetchval(_MAY_SET, role):
        await connection.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")


_MAY_SET = "SELECT pg_has_role(current_user, $1, 'SET')"
