"""The one check before every use case: changes when what is asked of a caller does."""

from domain.access import Permission, require
from resolvers.context import RequestContext


def allowed(context: RequestContext, permission: Permission) -> RequestContext:
    """The context again; raises Forbidden unless its principal holds the permission."""
    require(context.principal, permission)
    return context
