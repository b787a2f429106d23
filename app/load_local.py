"""A load run on the embedded servers: begun here as a server's workers begin one, measured in the same way."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import uuid_utils.compat as uuid

from app.cases_local import BY, needs_demo, origin, start_of
from app.cases_request import CasesRequest
from app.clock import utc_now
from app.live_screen import shown
from app.load_report import LoadEnd
from app.load_view import LoadView
from app.local_site import Ground, LocalSite, local_site, on_this_machine
from app.settings import Settings
from app.signals import stop_event
from db import statements
from db.load_runs_report import measured
from domain.engine.ports import Append
from domain.executions_prepare import prepare
from domain.ids import ExecutionId, LoadRunId, WorkerId
from domain.load_runs import LoadRun
from domain.load_runs_feed import due, executions
from domain.load_runs_start import LoadSize, least, load_run
from domain.trials import Trial
from jobs.runs import Run

_CANCELLED_WITHIN = 10.0


def run_load(request: CasesRequest, load: LoadSize, settings: Settings) -> LoadEnd:
    """Blocks until all executions are over, or until Ctrl-C has cancelled them. Raises Refusal before any starts."""
    return on_this_machine(settings, lambda ground: _run(request, load, ground))


async def _run(request: CasesRequest, load: LoadSize, ground: Ground) -> LoadEnd:
    stop = stop_event()
    file, (case,) = request.file, request.cases
    async with local_site(file, ground, demo=needs_demo(request.cases)) as site:
        trial = Trial(pins=case.trial.pins, effects=case.trial.effects)  # a load run judges nothing
        start = replace(start_of(case, site), trial=trial)
        first = prepare(start, site.version, origin(), ids=uuid.uuid7, now=utc_now())
        seconds = least(start.timeout, file.definition.settings.timeout)
        run = load_run(LoadRunId(uuid.uuid7()), load, first, seconds=seconds)
        view = LoadView(file.document.name, load.count)
        loading = _Loading(run, site, view)
        async with site.worker(loading.ids, loading) as worker, shown(view, ground.console):
            interrupted = await loading.until_over(worker, stop)
        report = await measured(site.tenant_id, run.id, run.created_at, fetch=statements.fetch)
        return LoadEnd(workflow=file.document.name, case=case.name, report=report, interrupted=interrupted)


class _Loading:
    """Implements `app.local_progress.Watcher`: each time something of it is over, more of it begins."""

    def __init__(self, run: LoadRun, site: LocalSite, view: LoadView) -> None:
        self.ids = [ExecutionId(uuid.uuid7()) for _ in range(run.count)]
        self._unused = iter(self.ids)
        self._run = run
        self._site = site
        self._view = view
        self._open: set[ExecutionId] = set()
        self._changed = asyncio.Event()

    def committed(self, appends: Sequence[Append]) -> None:
        ended = {append.execution_id for append in appends if append.finished is not None} & self._open
        if ended:
            self._open -= ended
            self._tell()
            self._changed.set()

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        pass

    async def until_over(self, worker: WorkerId, stop: asyncio.Event) -> bool:
        """True when it was interrupted: then no more begins, and what ran has been asked to stop."""
        loading = asyncio.ensure_future(self._all(worker))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([loading, stopped], return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            stopped.cancel()
            await loading
            return False
        self._run = replace(self._run, cancelled_at=utc_now())
        self._site.ground.say("interrupted: cancelling what still runs (once more to leave at once)")
        self._changed.set()
        await asyncio.wait([loading], timeout=_CANCELLED_WITHIN)
        loading.cancel()
        return True

    async def _all(self, worker: WorkerId) -> None:
        while self._open or (self._run.begun < self._run.count and self._run.cancelled_at is None):
            self._changed.clear()
            later = await self._more(worker)
            if self._run.cancelled_at is not None:
                await self._site.cancel(list(self._open), BY)  # also what was being committed at the wish
            patience = max(0.0, (later - utc_now()).total_seconds()) if later is not None else None
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._changed.wait()

    async def _more(self, worker: WorkerId) -> datetime | None:
        """Begin what is due; gives the moment when the rate allows the next."""
        now = utc_now()
        wanted = due(self._run, len(self._open), now)
        if wanted.number:
            new = executions(self._run, wanted.number, ids=self._next_id, now=now)
            self._open |= {each.id for each in new}
            self._run = replace(self._run, begun=self._run.begun + len(new))
            await self._site.begin(new, worker)
            self._tell()
        return wanted.later

    def _next_id(self) -> UUID:
        return next(self._unused)

    def _tell(self) -> None:
        self._view.told(self._run.begun - len(self._open), len(self._open))
