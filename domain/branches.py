"""Branches: named copies of a workflow's definition that are edited beside its draft, and merged into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.errors import Conflict
from domain.graphs import Definition
from domain.ids import BranchId, WorkflowId
from domain.paging import Page, Place, Slice
from domain.workflows import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """`base` is the definition where it began, or what of it was merged last; `definition` is what is edited.

    `from_version` is the number of the version it began at, None when it was the draft. `revision` counts changes from
    1. People are `Actor.person`; `authors` are those whose changes a merge brings into the draft.
    """

    id: BranchId
    workflow_id: WorkflowId
    name: str
    base: Definition
    definition: Definition
    from_version: int | None = None
    revision: int = 1
    authors: tuple[str, ...] = ()
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    merged_at: datetime | None = None
    merged_by: str | None = None
    deleted_at: datetime | None = None


class BranchNameTaken(Conflict):
    """Another branch of the workflow has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The workflow has a branch named {name!r} already", path=("name",), remedy="Choose another name."
        )


class StaleBranch(Conflict):
    """The branch was changed since the caller read it."""

    def __init__(self, current_revision: int) -> None:
        super().__init__(
            f"The branch has changed: its revision is {current_revision}",
            current_revision=current_revision,
            path=("expectedRevision",),
            remedy="Read it again, apply your change to what is there now, and send that revision.",
        )


class BranchReader(Protocol):
    """Born with a tenant; another tenant's branches are not there, nor are deleted ones."""

    async def by_ids(self, ids: Sequence[BranchId]) -> Sequence[Branch]:
        """Those that exist, in any order."""
        ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Branch]:
        """Latest first."""
        ...

    async def count(self, workflow_id: WorkflowId) -> int: ...


class BranchWriter(Protocol):
    """Born with a tenant."""

    async def insert(self, branch: Branch) -> None:
        """Raises BranchNameTaken."""
        ...

    async def save(self, branch: Branch, *, expected_revision: int) -> None:
        """Write every changeable field if the stored revision is the expected one.

        Raises StaleBranch with what is stored, BranchNameTaken, NotFound.
        """
        ...

    async def merge(
        self, branch: Branch, workflow: Workflow, *, expected_revision: int, expected_workflow_revision: int
    ) -> None:
        """Save both or neither; raises as `save` does, and StaleRevision."""
        ...


def place(branch: Branch) -> Place:
    return Place(id=branch.id, value=branch.created_at)
