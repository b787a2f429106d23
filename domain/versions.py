"""Versions of a workflow: frozen definitions, numbered from 1 when published, unnumbered when tried out or proposed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.formats.stored import definition_to_json
from domain.graphs import Definition
from domain.ids import VersionId, WorkflowId
from domain.paging import Page, Place, Slice
from domain.sources import Ids
from domain.storable import canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """`number` is None for a draft that was run or is to be approved: stored once per content, not listed.

    `published_by` is the person (`Actor.person`) who published it or asked for it, `approved_by` who approved it, if
    that was needed.
    """

    id: VersionId
    workflow_id: WorkflowId
    number: int | None
    content_hash: bytes
    definition: Definition
    note: str = ""
    created_at: datetime
    created_by: UUID | None = None
    published_by: str | None = None
    approved_by: str | None = None


class VersionStore(Protocol):
    """Born with a tenant; another tenant's versions are not there."""

    async def by_ids(self, ids: Sequence[VersionId]) -> Sequence[Version]:
        """Those that exist, in any order."""
        ...

    async def by_number(self, workflow_id: WorkflowId, number: int) -> Version | None: ...

    async def latest_number(self, workflow_id: WorkflowId) -> int:
        """0 when nothing was published."""
        ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Version]:
        """Numbered versions, highest first; `Place.value` is the number."""
        ...

    async def keep(self, version: Version) -> Version:
        """Store an unnumbered version, or give back the one of this workflow that has the same content hash."""
        ...


class VersionHistory(Protocol):
    """Born with a tenant; another tenant's versions are not there."""

    async def by_numbers(self, wanted: Sequence[tuple[WorkflowId, int]]) -> Sequence[Version]:
        """Those that exist, in any order."""
        ...


def place(version: Version) -> Place:
    return Place(id=version.id, value=version.number)


def content_hash(definition: Definition) -> bytes:
    """SHA-256 of the definition's canonical JSON."""
    return hashlib.sha256(canonical(definition_to_json(definition))).digest()


def unnumbered(workflow_id: WorkflowId, definition: Definition, *, ids: Ids, now: datetime) -> Version:
    """A version of a draft that is to be tried out: for `VersionStore.keep`."""
    return Version(
        id=VersionId(ids()),
        workflow_id=workflow_id,
        number=None,
        content_hash=content_hash(definition),
        definition=definition,
        created_at=now,
    )
