"""What administrators may do with API keys: authorise, call the use case, give back its value."""

from collections.abc import Sequence
from datetime import datetime

from domain import apikeys_edit
from domain.access import Permission
from domain.apikeys import ApiKey
from domain.apikeys_edit import KeyMaking, MadeKey, NewKey
from domain.ids import ApiKeyId
from resolvers.access import allowed
from resolvers.context import RequestContext


async def every(context: RequestContext, *, over: bool) -> Sequence[ApiKey]:
    """Newest first; `over`: those too that are revoked or expired."""
    given = allowed(context, Permission.TENANT_MANAGE)
    return [key for key in await given.stores.api_keys.all() if over or key.in_force(given.now)]


async def create(context: RequestContext, new: NewKey) -> MadeKey:
    return await apikeys_edit.create(new, given=_making(context))


async def rotate(context: RequestContext, key_id: ApiKeyId, overlap: float, expires_at: datetime | None) -> MadeKey:
    return await apikeys_edit.rotate(key_id, overlap, expires_at, given=_making(context))


async def revoke(context: RequestContext, key_id: ApiKeyId) -> ApiKey:
    given = allowed(context, Permission.TENANT_MANAGE)
    return await apikeys_edit.revoke(key_id, keys=given.stores.api_keys, now=given.now)


def _making(context: RequestContext) -> KeyMaking:
    given = allowed(context, Permission.TENANT_MANAGE)
    return KeyMaking(
        keys=given.stores.api_keys,
        by=given.principal,
        ids=given.services.ids,
        secret=given.services.secret,
        now=given.now,
    )
