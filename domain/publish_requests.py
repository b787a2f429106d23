"""Requests to publish a draft: what a second person is asked to approve, bound to exactly that content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Conflict, InvalidState
from domain.ids import PublishRequestId, UserId, VersionId, WorkflowId
from domain.paging import Page, Place, Slice
from domain.versions import Version
from domain.workflows import Workflow


class PublishRequestStatus(StrEnum):
    """VOID: the draft was edited, published otherwise or deleted before anybody decided."""

    OPEN = "OPEN"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    VOID = "VOID"


class SignatureMeaning(StrEnum):
    """What who signs says by it."""

    APPROVED = "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSignature:
    """Who proved by their password that the approval is theirs; `hash` is that of `publish_requests_sign`."""

    by: UserId
    at: datetime
    meaning: SignatureMeaning
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """`candidate_id` is the unnumbered version that holds the content, `content_hash` its hash; `previous_id` is what
    was active when it was asked for.

    `authors` made the change and do not approve it. People are `Actor.person`. `version_id` is what an approval made.
    """

    id: PublishRequestId
    workflow_id: WorkflowId
    candidate_id: VersionId
    previous_id: VersionId | None
    content_hash: bytes
    note: str
    authors: tuple[str, ...]
    requested_at: datetime
    requested_by: str
    status: PublishRequestStatus = PublishRequestStatus.OPEN
    decided_at: datetime | None = None
    decided_by: str | None = None
    comment: str | None = None
    version_id: VersionId | None = None
    signature: ApprovalSignature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequestFilter:
    """Every part given must hold."""

    workflow_id: WorkflowId | None = None
    status: tuple[PublishRequestStatus, ...] = ()


class AnotherRequestOpen(Conflict):
    """The workflow has an open request; of two who ask at once the second is told so."""

    def __init__(self) -> None:
        super().__init__("Somebody has just asked to publish this workflow", remedy="Read the open request.")


class RequestDecided(InvalidState):
    """The request is not open any more."""

    def __init__(self, status: PublishRequestStatus) -> None:
        void = status is PublishRequestStatus.VOID
        super().__init__(
            f"The request is {status.value}" + (": the draft has changed since" if void else " already"),
            path=("id",),
            remedy="Publish again: that asks for what the draft is now.",
        )


class PublishRequestReader(Protocol):
    """Born with a tenant; another tenant's requests are not there."""

    async def by_ids(self, ids: Sequence[PublishRequestId]) -> Sequence[PublishRequest]:
        """Those that exist, in any order."""
        ...

    async def open_of(self, workflow_ids: Sequence[WorkflowId]) -> Mapping[WorkflowId, PublishRequest]:
        """The open request of each that has one: there is at most one."""
        ...

    async def page(self, chosen: PublishRequestFilter, page: Page) -> Slice[PublishRequest]:
        """Latest first."""
        ...

    async def count(self, chosen: PublishRequestFilter) -> int: ...


class PublishRequestWriter(Protocol):
    """Born with a tenant. An edit of the draft, a version and a deletion make open requests VOID, whoever writes."""

    async def insert(self, request: PublishRequest, *, expected_revision: int) -> None:
        """Store it if the workflow still has this revision. Raises StaleRevision, NotFound, AnotherRequestOpen."""
        ...

    async def close(self, request: PublishRequest) -> None:
        """Save the decision if it is still open; raises RequestDecided, NotFound."""
        ...

    async def approve(
        self, request: PublishRequest, workflow: Workflow, version: Version, *, expected_revision: int
    ) -> None:
        """Save the decision, the version and the workflow, or none of them.

        Raises RequestDecided, StaleRevision, NotFound.
        """
        ...


def place(request: PublishRequest) -> Place:
    return Place(id=request.id, value=request.requested_at)
