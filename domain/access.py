"""Who may do what: permissions, the roles that bundle them, and the one check before every use case."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from domain.errors import Forbidden, Invalid

if TYPE_CHECKING:
    from domain.tenancy import Principal


class Permission(StrEnum):
    WORKFLOW_READ = "workflow:read"
    WORKFLOW_WRITE = "workflow:write"
    WORKFLOW_PUBLISH = "workflow:publish"
    WORKFLOW_DELETE = "workflow:delete"
    EXECUTION_READ = "execution:read"
    EXECUTION_START = "execution:start"
    EXECUTION_CONTROL = "execution:control"
    SIGNAL_SEND = "signal:send"
    TRIGGER_READ = "trigger:read"
    TRIGGER_WRITE = "trigger:write"
    TASK_READ = "task:read"
    TASK_COMPLETE = "task:complete"
    TASK_MANAGE = "task:manage"
    CONNECTION_READ = "connection:read"
    CONNECTION_WRITE = "connection:write"
    STREAM_READ = "stream:read"
    FILE_READ = "file:read"
    FILE_WRITE = "file:write"
    SCHEMA_INTROSPECT = "schema:introspect"
    TENANT_MANAGE = "tenant:manage"
    AUDIT_READ = "audit:read"


class Role(StrEnum):
    ADMIN = "admin"
    DEVELOPER = "developer"
    SERVICE = "service"
    VIEWER = "viewer"


_VIEWER = frozenset(
    {
        Permission.WORKFLOW_READ,
        Permission.EXECUTION_READ,
        Permission.TRIGGER_READ,
        Permission.TASK_READ,
        Permission.FILE_READ,
        Permission.STREAM_READ,
        Permission.CONNECTION_READ,
        Permission.SCHEMA_INTROSPECT,
    }
)
_SERVICE = frozenset(
    {
        Permission.WORKFLOW_READ,
        Permission.EXECUTION_READ,
        Permission.EXECUTION_START,
        Permission.EXECUTION_CONTROL,
        Permission.SIGNAL_SEND,
        Permission.TRIGGER_READ,
        Permission.FILE_READ,
        Permission.FILE_WRITE,
        Permission.STREAM_READ,
        Permission.TASK_READ,
        Permission.TASK_COMPLETE,
        Permission.CONNECTION_READ,
    }
)

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Permission),
        Role.DEVELOPER: frozenset(Permission) - {Permission.TENANT_MANAGE, Permission.AUDIT_READ},
        Role.SERVICE: _SERVICE,
        Role.VIEWER: _VIEWER,
    }
)


def permissions_of(role: Role, scopes: Iterable[str] = ()) -> frozenset[Permission]:
    """What the role allows, narrowed to `scopes` when any are given; a scope never widens."""
    allowed = ROLES[role]
    narrowed = frozenset(scopes)
    return allowed if not narrowed else frozenset(each for each in allowed if each.value in narrowed)


def check_scopes(scopes: Iterable[str]) -> tuple[Permission, ...]:
    """The scopes as permissions; raises Invalid for an unknown one."""
    known = {each.value: each for each in Permission}
    for scope in scopes:
        if scope not in known:
            raise Invalid(f"{scope!r} is no scope", path=("scopes",), remedy=f"Scopes are {', '.join(sorted(known))}.")
    return tuple(known[scope] for scope in scopes)


def require(principal: "Principal", permission: Permission) -> None:
    """Raises Forbidden unless the principal holds the permission."""
    if permission not in principal.permissions:
        raise Forbidden(permission.value)
