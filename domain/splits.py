"""Splits: two versions of a workflow share its starts in one environment, and are compared."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from domain.environments import DEFAULT
from domain.ids import PromotionId, SplitId, VersionId, WorkflowId
from domain.paging import Page, Place, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """`percent` of the starts in `environment` run the candidate, the others the baseline, which is active there.

    `started_by`, `ended_by` are TypeIDs; `ended_by` is None when another version becoming active has ended it.
    `promoted_id`: the version that was active there then.
    """

    id: SplitId
    workflow_id: WorkflowId
    environment: str = DEFAULT
    baseline_id: VersionId
    candidate_id: VersionId
    percent: int
    started_at: datetime
    started_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None
    promoted_id: VersionId | None = None

    def choose(self, key: str) -> VersionId:
        """The version of the start with this key: the same for the same key, whoever asks and how often.

        Raising the percentage moves starts to the candidate only, lowering it only back.
        """
        digest = hashlib.sha256(f"{self.id}:{key}".encode()).digest()
        return self.candidate_id if int.from_bytes(digest[:8], "big") % 100 < self.percent else self.baseline_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of the executions that a split has placed on one version.

    `running`: not over yet. Durations in milliseconds, of those that completed, None when none has.
    `errors`: how many failed by each error code, the most frequent first.
    """

    version_id: VersionId
    executions: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    errors: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def running(self) -> int:
        return self.executions - self.completed - self.failed - self.cancelled

    @property
    def success_rate(self) -> float | None:
        """Of those that completed or failed, 0 to 1; None when none has."""
        over = self.completed + self.failed
        return self.completed / over if over else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitEnd:
    """`promotion_id`: the entry of the history it makes, should the winner not have been active."""

    winner: VersionId
    at: datetime
    by: str
    note: str = ""
    promotion_id: PromotionId


class SplitStore(Protocol):
    """Born with a tenant; another tenant's splits are not there."""

    async def by_ids(self, ids: Sequence[SplitId]) -> Sequence[Split]: ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[Split]:
        """The latest first; `Place.value` is None."""
        ...

    async def save(self, split: Split) -> bool:
        """Begin it, or change its percentage while it runs. False when it was not to be begun (another one runs in that
        environment, the baseline is not active there any more) or is over."""
        ...

    async def end(self, split: Split, end: SplitEnd) -> bool:
        """Make the winner the active version there, in the same commit. False when it is over already."""
        ...

    async def measured(self, split: Split) -> Sequence[Measured]:
        """By version, those that have executions."""
        ...


def place(split: Split) -> Place:
    return Place(id=split.id)
