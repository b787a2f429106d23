"""The audit log: what of an act is written down, and the ports that write and read it."""

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.ids import TenantId
from domain.json import JSON
from domain.paging import Page, Place, Slice
from domain.storable import canonical

MAX_TEXT = 500
MAX_IDS = 100
MAX_SNAPSHOT = 64 * 1024

_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class AuditOutcome(StrEnum):
    DONE = "DONE"
    PARTLY = "PARTLY"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class AuditActorKind(StrEnum):
    USER = "user"
    API_KEY = "apikey"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request came from, as the server saw it; `request_id` is the caller's, else one made for it."""

    request_id: str
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditObject:
    """What was acted on: its type as the prefixes of ids are written, and its TypeID, or its name if it has none."""

    type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One act. `actor_id`: a TypeID, None for nobody; `ids`: the TypeIDs that were named; `code`: why it was refused.

    `before` and `after` show the object without secrets; None where there was none, or nothing is shown of its type.
    """

    at: datetime
    actor_kind: AuditActorKind
    actor_id: str | None
    action: str
    object: AuditObject | None = None
    ids: tuple[str, ...] = ()
    outcome: AuditOutcome
    code: str | None = None
    before: JSON = None
    after: JSON = None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A record in its place: `seq` counts a tenant's entries from 1 without gaps, `hash` chains them."""

    tenant_id: TenantId
    seq: int
    actor_name: str | None
    record: AuditRecord
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """`actor`: a TypeID; `object`: a TypeID or a name; `since` is included, `until` is not."""

    actor: str | None = None
    action: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The chain of a tenant as far as `seq`, whose entry has this hash, signed at a time."""

    tenant_id: TenantId
    seq: int
    hash: bytes
    at: datetime
    signature: bytes = field(repr=False)


class AuditTrail(Protocol):
    """One tenant's audit log, and what of its objects is shown there."""

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """What this tenant's stores do within it is done as a whole, with the entries appended, or not at all."""
        ...

    async def append(self, record: AuditRecord) -> None:
        """Within a `transaction`, as the last thing: other writers of the tenant's log wait for its end."""
        ...

    async def snapshot(self, shown: AuditObject) -> JSON:
        """The object as it is now, without secrets; None when there is none or nothing is shown of its type."""
        ...

    async def page(self, chosen: AuditFilter, page: Page) -> Slice[AuditEntry]:
        """Newest first; `Place.value` is the number."""
        ...


class AuditAppender(Protocol):
    """Any tenant's audit log, for what cannot be one transaction with its entry."""

    async def append(self, tenant_id: TenantId, record: AuditRecord) -> None:
        """The entry is durable. It is written even when who waits for it goes away."""
        ...


def origin(ip: str | None, user_agent: str | None, request_id: str) -> Origin:
    """An origin fit to be stored, whatever the headers held."""
    return Origin(request_id=_clean(request_id) or "", ip=_clean(ip), user_agent=_clean(user_agent))


def bounded(snapshot: JSON) -> JSON:
    """The snapshot, or its size where it is too large for the log."""
    size = len(canonical(snapshot))
    return snapshot if size <= MAX_SNAPSHOT else {"bytes": size}


def place(entry: AuditEntry) -> Place:
    return Place(id=entry.tenant_id, value=entry.seq)


def _clean(text: str | None) -> str | None:
    return None if text is None else _UNSTORABLE.sub("", text)[:MAX_TEXT]


def names_of(records: Sequence[AuditRecord]) -> Sequence[str]:
    """The TypeIDs of those who acted, each once."""
    return sorted({record.actor_id for record in records if record.actor_id is not None})
