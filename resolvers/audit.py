"""What callers may do with the audit log: authorise, read, give back its entries; and the one way to write into it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from domain.access import Permission
from domain.audit import (
    AuditActorKind,
    AuditEntry,
    AuditFilter,
    AuditObject,
    AuditOutcome,
    AuditRecord,
    place,
)
from domain.errors import Refusal
from domain.json import JSON
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext

T = TypeVar("T")

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody is about to do; `object` None where it is not named, as when it is to be made."""

    action: str
    object: AuditObject | None = None
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of an act: why it was refused (`code`), in part only (`partly`); what it was done to, if that tells."""

    code: str | None = None
    partly: bool = False
    object: AuditObject | None = None


class _Undone(Exception):
    """Leads out of a transaction in which nothing was done."""


async def page(context: RequestContext, chosen: AuditFilter, page: Page) -> Slice[AuditEntry]:
    return await allowed(context, Permission.AUDIT_READ).stores.audit.page(chosen, page)


async def export(context: RequestContext, chosen: AuditFilter) -> AsyncIterator[AuditEntry]:
    """All entries from newest to oldest; that they were taken away is an entry itself."""
    trail = allowed(context, Permission.AUDIT_READ).stores.audit
    await _told(context, _record(context, Act(action="audit.export"), AuditOutcome.DONE))
    return _all(context, chosen, trail.page)


async def _all(
    context: RequestContext, chosen: AuditFilter, read: Callable[[AuditFilter, Page], Awaitable[Slice[AuditEntry]]]
) -> AsyncIterator[AuditEntry]:
    found = await read(chosen, Page(first=_AT_ONCE))
    while True:
        for entry in found.items:
            yield entry
        if not found.has_next:
            return
        found = await read(chosen, Page(first=_AT_ONCE, after=place(found.items[-1])))


async def recorded(
    context: RequestContext,
    act: Act,
    work: Callable[[], Awaitable[T]],
    *,
    result: Callable[[T], Result],
    together: bool,
) -> T:
    """The work's value; whatever comes of it stands in the audit log.

    `together`: the work and its entry are one transaction, which the work must bear: it writes by this tenant's stores
    alone, waits for nobody and tells nobody. Otherwise the entry follows the work.
    """
    try:
        return await (_within(context, act, work, result) if together else _before(context, act, work, result))
    except _Undone as undone:
        value, come_of = undone.args
        await _told(context, _record(context, act, AuditOutcome.REFUSED, code=come_of.code))
        return value
    except Refusal as refusal:
        await _told(context, _record(context, act, AuditOutcome.REFUSED, code=refusal.code.value))
        raise
    except BaseException:
        await _told(context, _record(context, act, AuditOutcome.FAILED))
        raise


async def _within(
    context: RequestContext, act: Act, work: Callable[[], Awaitable[T]], result: Callable[[T], Result]
) -> T:
    trail = context.stores.audit
    async with trail.transaction():
        value, done = await _done(context, act, work, result)
        await trail.append(done)
    return value


async def _before(
    context: RequestContext, act: Act, work: Callable[[], Awaitable[T]], result: Callable[[T], Result]
) -> T:
    value, done = await _done(context, act, work, result)
    await _told(context, done)
    return value


async def _done(
    context: RequestContext, act: Act, work: Callable[[], Awaitable[T]], result: Callable[[T], Result]
) -> tuple[T, AuditRecord]:
    """Raises _Undone when the work was refused."""
    trail = context.stores.audit
    before = await trail.snapshot(act.object) if act.object else None
    value = await work()
    come_of = result(value)
    if come_of.code is not None and not come_of.partly:
        raise _Undone(value, come_of)
    shown = act.object or come_of.object
    after = await trail.snapshot(shown) if shown else None
    outcome = AuditOutcome.PARTLY if come_of.partly else AuditOutcome.DONE
    return value, _record(context, act, outcome, code=come_of.code, shown=shown, before=before, after=after)


async def _told(context: RequestContext, record: AuditRecord) -> None:
    await context.services.audit.append(context.principal.tenant_id, record)


def _record(
    context: RequestContext,
    act: Act,
    outcome: AuditOutcome,
    *,
    code: str | None = None,
    shown: AuditObject | None = None,
    before: JSON = None,
    after: JSON = None,
) -> AuditRecord:
    actor = context.principal.actor
    return AuditRecord(
        at=context.now,
        actor_kind=AuditActorKind(actor.kind.value),
        actor_id=str(actor),
        action=act.action,
        object=shown or act.object,
        ids=act.ids,
        outcome=outcome,
        code=code,
        before=before,
        after=after,
        origin=context.origin,
    )
