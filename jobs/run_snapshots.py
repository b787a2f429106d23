"""Snapshots of runs that go on for long, so that whoever takes one over need not read its whole log."""

import asyncio
import logging

from domain.engine.ports import JournalRefused, LostOwnership, Ownership
from domain.ids import encode
from domain.json import JSON
from jobs.runs import Run

log = logging.getLogger("weir.executor")


class RunSnapshots:
    """Stores states beside the runs; losing one costs only time."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._saving: set[asyncio.Task[None]] = set()

    def save(self, run: Run) -> None:
        """Store the run's state as it is now, once its log is durable up to here."""
        run.snapshot_seq = run.draft.seq
        saving = asyncio.ensure_future(self._save(run, run.draft.seq, run.snapshot()))
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)

    async def _save(self, run: Run, seq: int, state: JSON) -> None:
        try:
            await run.durable()
            await self._ownership.save_snapshot(run.execution_id, seq, state)
            if run.closed:  # its end, written meanwhile, has not seen the snapshot and left it there
                await run.durable()
                await self._ownership.drop_snapshot(run.execution_id)
        except (LostOwnership, JournalRefused, OSError, TimeoutError) as error:
            log.info("no snapshot of %s: %s", encode("execution", run.execution_id), error)
