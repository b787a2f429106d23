"""Workflows: a named, editable draft with its published versions; create, read, change, delete."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.errors import Conflict
from domain.graphs import Definition
from domain.ids import SplitId, VersionId, WorkflowId
from domain.paging import Direction, Page, Place, Slice
from domain.versions import Version


class WorkflowStatus(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """`draft` is what is edited, `active_version_id` what runs. `revision` counts changes from 1.

    `split_id`: the split that chooses between the active version and another one, outside named environments.

    `authors` are the people (`Actor.person`) who changed the draft since it was last published.

    An unlisted workflow stands for a local file: it is in no list and its name need not be unique.
    """

    id: WorkflowId
    name: str
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    status: WorkflowStatus = WorkflowStatus.DRAFT
    revision: int = 1
    draft: Definition = field(default_factory=Definition)
    active_version_id: VersionId | None = None
    split_id: SplitId | None = None
    authors: tuple[str, ...] = ()
    listed: bool = True
    created_at: datetime
    created_by: UUID | None = None
    updated_at: datetime
    updated_by: UUID | None = None
    deleted_at: datetime | None = None


class NameTaken(Conflict):
    """Another workflow of the tenant has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already a workflow named {name!r}", path=("name",), remedy="Choose another name.")


class StaleRevision(Conflict):
    """The workflow was changed since the caller read it."""

    def __init__(self, current_revision: int) -> None:
        super().__init__(
            f"The workflow has changed: its revision is {current_revision}",
            current_revision=current_revision,
            path=("expectedRevision",),
            remedy="Read it again, apply your change to what is there now, and send that revision.",
        )


class WorkflowOrderField(StrEnum):
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOrder:
    field: WorkflowOrderField = WorkflowOrderField.UPDATED_AT
    direction: Direction = Direction.DESC


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFilter:
    """Every part given must hold. `search`: the name or description contains it, whatever its case.

    `tags`: all of them are on the workflow. Deleted and unlisted workflows are never found.
    """

    search: str | None = None
    status: tuple[WorkflowStatus, ...] = ()
    category: str | None = None
    tags: tuple[str, ...] = ()


class WorkflowReader(Protocol):
    """Born with a tenant; another tenant's workflows are not there, nor are deleted ones."""

    async def by_ids(self, ids: Sequence[WorkflowId]) -> Sequence[Workflow]:
        """Those that exist, unlisted ones too, in any order."""
        ...

    async def by_name(self, name: str) -> Workflow | None:
        """The listed one of this name."""
        ...

    async def page(self, chosen: WorkflowFilter, order: WorkflowOrder, page: Page) -> Slice[Workflow]: ...

    async def count(self, chosen: WorkflowFilter) -> int: ...


class WorkflowWriter(Protocol):
    """Born with a tenant."""

    async def insert(self, workflow: Workflow) -> None:
        """Raises NameTaken."""
        ...

    async def save(self, workflow: Workflow, *, expected_revision: int) -> None:
        """Write every changeable field if the stored revision is the expected one.

        With `deleted_at` set it also disables the workflow's triggers, which frees their paths.
        Raises StaleRevision with what is stored, NameTaken, NotFound.
        """
        ...

    async def publish(self, workflow: Workflow, version: Version, *, expected_revision: int) -> None:
        """Save the workflow, then insert the version, in one transaction; raises as `save` does."""
        ...


def place(order: WorkflowOrder, workflow: Workflow) -> Place:
    """Where the workflow stands in a list of this order."""
    match order.field:
        case WorkflowOrderField.NAME:
            return Place(id=workflow.id, value=workflow.name)
        case WorkflowOrderField.CREATED_AT:
            return Place(id=workflow.id, value=workflow.created_at)
        case WorkflowOrderField.UPDATED_AT:
            return Place(id=workflow.id, value=workflow.updated_at)
