"""What of a load run is to begin now: as much as has ended, or as its rate allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.engine.events import Event, EventKind
from domain.executions_prepare import MAX_PRIORITY
from domain.ids import ExecutionId, LoadRunId, TenantId
from domain.load_runs import LoadRun
from domain.sources import Ids
from domain.starts import NewExecution

CHUNK = 200
"""Executions in one commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """How many are to begin now; `later`: when it is the rate that keeps the next one, the moment of that."""

    number: int
    later: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What a look at a load run came to. `cancelled`: executions of it that are to end, by whose wish. `later` as in
    `Due`."""

    begun: Sequence[NewExecution] = ()
    cancelled: Sequence[ExecutionId] = ()
    cancelled_by: str | None = None
    later: datetime | None = None
    finished: bool = False


class LoadFeeding(Protocol):
    """Of all tenants. Any number of processes may feed at once."""

    async def under_way(self) -> Sequence[tuple[TenantId, LoadRunId]]: ...

    async def feed(self, tenant_id: TenantId, run_id: LoadRunId, *, ids: Ids, now: datetime) -> Fed:
        """Commit what is due of it; when nothing is left, its end and its report."""
        ...


def due(run: LoadRun, running: int, now: datetime) -> Due:
    """`running`: how many of it are under way."""
    if run.cancelled_at is not None:
        return Due(number=0)
    number = min(run.count - run.begun, run.concurrency - running, CHUNK)
    if run.rate is None or number <= 0:
        return Due(number=max(0, number))
    allowed = int((now - run.created_at).total_seconds() * run.rate) + 1 - run.begun
    if allowed >= number:
        return Due(number=number)
    begun = run.begun + max(0, allowed)
    return Due(number=max(0, allowed), later=run.created_at + timedelta(seconds=begun / run.rate))


def executions(run: LoadRun, number: int, *, ids: Ids, now: datetime) -> Sequence[NewExecution]:
    """So many more of the load run, behind everything else that its tenant has to do."""
    deadline = (now + timedelta(seconds=run.timeout)).isoformat() if run.timeout is not None else None
    first = Event(seq=1, kind=EventKind.EXECUTION_STARTED, at=now, payload={**run.begins_with, "deadline": deadline})
    return [
        NewExecution(
            id=ExecutionId(ids()),
            workflow_id=run.workflow_id,
            version_id=run.version_id,
            events=(first,),
            created_at=now,
            priority=-MAX_PRIORITY,
            triggered_by=run.created_by,
            draft=run.draft,
            test=True,
            trial_of=run.id,
        )
        for _ in range(number)
    ]
