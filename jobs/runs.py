"""One execution in this process: its state, what of it runs, and where its log stands."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from domain.engine.commands import Finish
from domain.engine.draft import Draft, freeze
from domain.engine.ports import Claimed
from domain.engine.snapshots import to_json
from domain.ids import ExecutionId, TenantId, VersionId, WorkflowId
from domain.json import JSON
from domain.starts import NewExecution
from jobs.programs import Program


@dataclass(slots=True, eq=False, kw_only=True)
class Run:
    """`draft` is ahead of the log by what `last` is still writing.

    `finish`: how it is to end; `handling` looks for `handler`, the execution that begins with its failure.
    `credit`: how many of its next steps go ahead of those of its tenant's other executions.
    `closed`: its terminal event is submitted; `over`: no longer this process's to write.
    """

    execution_id: ExecutionId
    tenant_id: TenantId
    workflow_id: WorkflowId
    version_id: VersionId
    epoch: int
    program: Program
    draft: Draft
    adopted: bool = False
    last: asyncio.Future[None] | None = None
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, "asyncio.Task[None]"])
    queued: set[str] = field(default_factory=set[str])
    timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict[str, asyncio.TimerHandle])
    consumed: set[int] = field(default_factory=set[int])
    finish: Finish | None = None
    handling: asyncio.Task[None] | None = None
    handler: NewExecution | None = None
    snapshot_seq: int = 0
    credit: int = 0
    closed: bool = False
    over: bool = False

    @property
    def idle(self) -> bool:
        """Nothing of it runs or is about to."""
        return not self.tasks and not self.queued and self.finish is None and not self.over

    @property
    def written(self) -> bool:
        """Everything recorded so far is in the log, or will never be."""
        return self.last is None or self.last.done()

    def snapshot(self) -> JSON:
        """Its state as it is now; a reader with another version has no use for it."""
        return {**to_json(freeze(self.draft)), "version": str(self.version_id)}

    async def durable(self) -> None:
        """Return when everything recorded so far is in the log; raises LostOwnership or JournalRefused."""
        if self.last is not None and not self.last.done():
            await asyncio.shield(self.last)

    def disarm(self, path: str) -> None:
        timer = self.timers.pop(path, None)
        if timer is not None:
            timer.cancel()

    def stop(self) -> None:
        """Nothing more of it happens here."""
        self.over = True
        for task in self.tasks.values():
            task.cancel()
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        self.queued.clear()


def begun(claimed: Claimed, program: Program, draft: Draft) -> Run:
    return Run(
        execution_id=claimed.execution_id,
        tenant_id=claimed.tenant_id,
        workflow_id=claimed.workflow_id,
        version_id=claimed.version_id,
        epoch=claimed.epoch,
        program=program,
        draft=draft,
        snapshot_seq=claimed.snapshot_seq,
    )


DEADLINE = ""
"""The path under which an execution's own deadline is kept among its timers and wake-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    path: str
    at: datetime
