"""A workflow file run on the embedded servers: stored as an unlisted version, executed here, shown live."""

import asyncio
from collections.abc import Sequence

import uuid_utils.compat as uuid

from app.clock import utc_now
from app.doubts import say_doubts
from app.live_screen import shown
from app.local_progress import Progress, progress_of
from app.local_site import Ground, LocalFile, LocalSite, local_file, local_site, on_this_machine
from app.run_request import RunRequest
from app.run_result import RunEnd
from app.settings import Settings
from app.signals import stop_event
from domain import connections_used
from domain.errors import Refusal
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.starts import NewExecution, TriggerType
from jobs.nodes.catalog import CATALOG

_CANCELLED_WITHIN = 10.0
_BY = "weir run"


def run_local(request: RunRequest, settings: Settings) -> RunEnd:
    """Blocks until every execution is over, or until Ctrl-C has cancelled them. Raises Refusal before any starts."""
    file = local_file(request.file, request.document)
    return on_this_machine(settings, lambda ground: _run(request, file, ground))


async def _run(request: RunRequest, file: LocalFile, ground: Ground) -> RunEnd:
    stop = stop_event()
    async with local_site(file, ground) as site:
        say_doubts(await connections_used.findings(file.definition, CATALOG, site.stores.connections), ground.say)
        executions = _prepared(request, site)
        progress = progress_of(executions, request.labels, file.definition, title=file.document.name)
        async with site.worker(list(progress.numbers), progress) as worker:
            await site.begin(executions, worker)
            async with shown(progress.view, ground.console):
                interrupted = await until_over(progress, stop, site, by=_BY)
            return RunEnd(results=progress.results, interrupted=interrupted)


def _prepared(request: RunRequest, site: LocalSite) -> Sequence[NewExecution]:
    """The rows to be. Raises Invalid for an input the schema refuses."""
    variables = {**({"demo": site.demo.url} if site.demo is not None else {}), **request.variables}
    origin = Origin(by=_BY, type=TriggerType.MANUAL)
    prepared: list[NewExecution] = []
    for index, value in enumerate(request.inputs):
        start = StartRequest(workflow_id=site.version.workflow_id, input=value, variables=variables, draft=True)
        try:
            prepared.append(prepare(start, site.version, origin, ids=uuid.uuid7, now=utc_now()))
        except Refusal as refusal:
            if request.many:
                refusal.message = f"Element {index} of --each: {refusal.message}"
            raise
    return prepared


async def until_over(progress: Progress, stop: asyncio.Event, site: LocalSite, *, by: str) -> bool:
    """True when it was interrupted: then everything that still ran has been asked to stop."""
    over = asyncio.ensure_future(progress.over.wait())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait([over, stopped], return_when=asyncio.FIRST_COMPLETED)
    if over.done():
        stopped.cancel()
        return False
    site.ground.say("interrupted: cancelling what still runs (once more to leave at once)")
    await site.cancel(progress.open, by)
    await asyncio.wait([over], timeout=_CANCELLED_WITHIN)
    over.cancel()
    return True
