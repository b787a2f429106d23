"""Who tasks are for: how assignees are written, and by which of these names a caller is meant."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.access import Permission, Role
from domain.accounts import Account, AccountStore, check_email
from domain.errors import Invalid, Refusal
from domain.ids import TenantId, UserId, decode, encode
from domain.sessions import Identity
from domain.tenancy import ActorKind

ROLE = "role:"
MAX_ASSIGNEES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who works on tasks. `actor` is the TypeID of who acts, `person` that of the user behind an API key, if any.

    `names` are all by which a task can be assigned to them. `account` is who may sign: None for an API key.
    """

    actor: str
    person: str
    names: frozenset[str]
    manages: bool = False
    account: Account | None = field(default=None, repr=False)


def caller_of(identity: Identity, account: Account | None) -> Caller:
    """`account` is that of the principal's user, if it has one."""
    actor = identity.principal.actor
    names = {ROLE + identity.role}
    if account is not None:
        names |= {encode("user", account.id), account.email}
    return Caller(
        actor=str(actor),
        person=encode("user", account.id) if account is not None else str(actor),
        names=frozenset(names),
        manages=Permission.TASK_MANAGE in identity.principal.permissions,
        account=account if actor.kind is ActorKind.USER else None,
    )


def check_assignees(texts: Sequence[str], *path: str) -> tuple[str, ...]:
    """Each once, in its one spelling; raises Invalid with this path for one that can mean nobody."""
    if len(texts) > MAX_ASSIGNEES:
        raise Invalid(f"At most {MAX_ASSIGNEES} assignees are taken", path=path, remedy="Assign the task to a role.")
    return tuple(dict.fromkeys(_assignee(text.strip(), path) for text in texts))


def _assignee(text: str, path: tuple[str, ...]) -> str:
    try:
        if text.startswith(ROLE):
            return ROLE + Role(text.removeprefix(ROLE).lower()).value
        return check_email(text) if "@" in text else encode("user", decode("user", text))
    except (ValueError, Refusal):
        raise Invalid(
            f"{text[:100]!r} is nobody a task can be for",
            path=path,
            remedy=f"Give an e-mail address, a user id (user_…) or one of {', '.join(ROLE + role for role in Role)}.",
        ) from None


async def member(text: str, tenant_id: TenantId, accounts: AccountStore) -> UserId:
    """The user of this id or e-mail address; raises Invalid, alike for nobody and for somebody of other tenants."""
    (name,) = check_assignees([text], "to")
    if not name.startswith(ROLE):
        account = await (accounts.by_email(name) if "@" in name else accounts.get(UserId(decode("user", name))))
        if account is not None and account.deactivated_at is None:
            memberships = await accounts.memberships(account.id)
            if any(membership.tenant.id == tenant_id for membership in memberships):
                return account.id
    raise Invalid(f"{text[:100]!r} is no member of this tenant", path=("to",), remedy="Give a member's e-mail address.")
