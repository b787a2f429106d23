"""Signing in, as the audit log tells it: changes when a way of signing in is added.

Who did not get in is nobody, so the entry names the account, key or session that was tried as its object. An attempt
that leads to no tenant stands in no tenant's log. Nothing that was typed is written down: people type passwords into
the wrong field.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domain.accounts import check_email
from domain.audit import AuditActorKind, AuditObject, AuditOutcome, AuditRecord, Origin
from domain.errors import Invalid, InvalidId
from domain.ids import ApiKeyId, TenantId, decode, encode
from domain.sessions import REFRESH_PREFIX, Identity, SignIn

_ACTIONS = {"refresh_token": "session.refresh"}
_Whose = tuple[TenantId, AuditObject | None]


def done(
    fields: Mapping[str, str], identity: Identity, *, origin: Origin, now: datetime
) -> tuple[TenantId, AuditRecord]:
    """Whose log, and what is written there, of a sign-in with the fields of RFC 6749."""
    actor = identity.principal.actor
    record = AuditRecord(
        at=now,
        actor_kind=AuditActorKind(actor.kind.value),
        actor_id=str(actor),
        action=_action(fields),
        object=AuditObject(type=actor.kind.value, id=str(actor)),
        outcome=AuditOutcome.DONE,
        origin=origin,
    )
    return identity.principal.tenant_id, record


async def refused(
    fields: Mapping[str, str], error: str, *, given: SignIn, origin: Origin, now: datetime
) -> tuple[TenantId, AuditRecord] | None:
    """The same of one that was refused with this error; None when it leads to no tenant."""
    whose = await _whose(fields, given)
    if whose is None:
        return None
    tenant_id, tried = whose
    record = AuditRecord(
        at=now,
        actor_kind=AuditActorKind.NOBODY,
        actor_id=None,
        action=_action(fields),
        object=tried,
        outcome=AuditOutcome.REFUSED,
        code=error,
        origin=origin,
    )
    return tenant_id, record


def _action(fields: Mapping[str, str]) -> str:
    return _ACTIONS.get(fields.get("grant_type", ""), "session.signIn")


async def _whose(fields: Mapping[str, str], given: SignIn) -> _Whose | None:
    match fields.get("grant_type"):
        case "password":
            return await _of_password(fields.get("username", ""), fields.get("tenant") or None, given)
        case "refresh_token":
            return await _of_refresh_token(fields.get("refresh_token", ""), given)
        case "client_credentials":
            return await _of_key(fields.get("client_id", ""), given)
        case _:
            return None


async def _of_password(email: str, slug: str | None, given: SignIn) -> _Whose | None:
    try:
        account = await given.accounts.by_email(check_email(email))
    except Invalid:  # nobody's, nor anything that can be looked for
        account = None
    if account is not None:
        for membership in await given.accounts.memberships(account.id):
            if slug in (None, membership.tenant.slug):
                return membership.tenant.id, AuditObject(type="user", id=encode("user", account.id))
    tenant = await given.tenants.by_slug(slug) if slug is not None else None
    return (tenant.id, None) if tenant else None


async def _of_refresh_token(text: str, given: SignIn) -> _Whose | None:
    try:
        token = await given.refresh_tokens.get(UUID(hex=text.removeprefix(REFRESH_PREFIX).partition("_")[0]))
    except ValueError:
        return None
    return (token.tenant_id, AuditObject(type="user", id=encode("user", token.account_id))) if token else None


async def _of_key(text: str, given: SignIn) -> _Whose | None:
    identity = text if "_" in text else f"apikey_{text}"
    try:
        key = await given.keys.get(ApiKeyId(decode("apikey", identity)))
    except InvalidId:
        return None
    return (key.tenant_id, AuditObject(type="apikey", id=encode("apikey", key.id))) if key else None
