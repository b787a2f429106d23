"""Load runs: a workflow run many times over in test mode, so many at once, so many a second; and the ports for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Conflict
from domain.ids import LoadRunId, VersionId, WorkflowId
from domain.json import JSONObject
from domain.load_runs_report import LoadReport
from domain.paging import Page, Place, Slice

MAX_COUNT = 10_000
MAX_CONCURRENCY = 200
MAX_RATE = 1_000.0
DEFAULT_CONCURRENCY = 10


class LoadRunStatus(StrEnum):
    """CANCELLED: no more will begin; once `finished_at` is set, what had begun is over too."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRun:
    """`count` executions of one version, at most `concurrency` under way at once, at most `rate` begun per second.

    `begins_with`: the payload of their first event but for the deadline, which is `timeout` seconds after it. `begun`:
    how many there are. `report` is set once it is over. `created_by`, `cancelled_by` are the actors' TypeIDs.
    """

    id: LoadRunId
    workflow_id: WorkflowId
    version_id: VersionId
    count: int
    concurrency: int = DEFAULT_CONCURRENCY
    rate: float | None = None
    begins_with: JSONObject
    timeout: float | None = None
    draft: bool = True
    begun: int = 0
    created_at: datetime
    created_by: str
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None
    finished_at: datetime | None = None
    report: LoadReport | None = None

    @property
    def status(self) -> LoadRunStatus:
        if self.cancelled_at is not None:
            return LoadRunStatus.CANCELLED
        return LoadRunStatus.RUNNING if self.finished_at is None else LoadRunStatus.FINISHED


class LoadRunUnderWay(Conflict):
    """The workflow has a load run already; two would measure each other."""

    def __init__(self) -> None:
        super().__init__(
            "A load run of this workflow is under way",
            path=("workflowId",),
            remedy="Wait until it is over, or cancel it with loadRunCancel.",
        )


class LoadRunStore(Protocol):
    """Born with a tenant; another tenant's load runs are not there."""

    async def by_ids(self, ids: Sequence[LoadRunId]) -> Sequence[LoadRun]:
        """Those that exist, in any order."""
        ...

    async def page(self, workflow_id: WorkflowId, page: Page) -> Slice[LoadRun]:
        """The latest first; `Place.value` is None."""
        ...

    async def insert(self, run: LoadRun) -> None:
        """Raises LoadRunUnderWay."""
        ...

    async def cancel(self, run_id: LoadRunId, by: str, at: datetime) -> bool:
        """None of it begins from then on. False when it is cancelled or over already, or not there."""
        ...

    async def reports(self, runs: Sequence[LoadRun]) -> Mapping[LoadRunId, LoadReport]:
        """What each has come to by now."""
        ...


def place(run: LoadRun) -> Place:
    return Place(id=run.id)
