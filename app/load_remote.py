"""A load run on another Weir: begun and measured by its workers, looked at from here until it is over."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import uvloop
from rich.console import Console

from app.cases_chosen import chosen
from app.cases_remote import Remote, RemoteWorkflow, find
from app.live_screen import shown
from app.load_report import LoadEnd
from app.load_view import LoadView
from app.remote_server import RemoteServer, done
from app.signals import stop_event
from domain.engine.ports import ExecutionStatus
from domain.json import JSON, JSONObject, as_list, as_object
from domain.load_runs_report import LoadReport, NodeTime, Spread
from domain.load_runs_start import LoadSize
from domain.testcases import Case

_SPREAD = "{ p50Ms p95Ms p99Ms maxMs }"
_RUN = f"""id begun finishedAt report {{ begun running seconds perSecond
  statuses {{ status count }} errors {{ code count }} durations {_SPREAD} queueWaits {_SPREAD}
  nodes {{ node attempts totalMs p50Ms p95Ms maxMs }} }}"""
_START = f"""mutation ($input: LoadRunStartInput!) {{
  loadRunStart(input: $input) {{ loadRun {{ {_RUN} }} errors {{ message path remedy }} }} }}"""
_READ = f"query ($id: ID!) {{ loadRun(id: $id) {{ {_RUN} }} }}"
_CANCEL = "mutation ($id: ID!) { loadRunCancel(id: $id) { errors { message path remedy } } }"
_EVERY = 1.0
_CANCELLED_WITHIN = 10.0

Show = Callable[[LoadView, Console], AbstractAsyncContextManager[None]]


def run_load(remote: Remote, names: Sequence[str], only: Case | None, load: LoadSize, *, show: Show = shown) -> LoadEnd:
    """Repeat `only`, else the saved case of this name, else the first; blocks until all is over. Raises Refusal."""
    return uvloop.run(_run(remote, names, only, load, Console(stderr=True), show))


async def _run(
    remote: Remote, names: Sequence[str], only: Case | None, load: LoadSize, console: Console, show: Show
) -> LoadEnd:
    stop = stop_event()
    server = RemoteServer(remote.server, remote.key)
    try:
        workflow = await find(remote, server)
        case = only or next(iter(chosen(workflow.cases, names)), Case(name="no input"))
        run = as_object(done((await server.execute(_START, {"input": _input(workflow, case, load)}))["loadRunStart"]))
        view = LoadView(workflow.name, load.count)
        watching = _Watching(str(as_object(run["loadRun"])["id"]), server, view)
        async with show(view, console):
            interrupted = await watching.until_over(stop)
        return LoadEnd(workflow=workflow.name, case=case.name, report=watching.report, interrupted=interrupted)
    finally:
        await server.close()


class _Watching:
    def __init__(self, run_id: str, server: RemoteServer, view: LoadView) -> None:
        self._id = run_id
        self._server = server
        self._view = view
        self.report = LoadReport()

    async def until_over(self, stop: asyncio.Event) -> bool:
        """True when it was interrupted: then it has been cancelled."""
        looking = asyncio.ensure_future(self._look())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([looking, stopped], return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                await looking
                return False
            done((await self._server.execute(_CANCEL, {"id": self._id}))["loadRunCancel"])
            await asyncio.wait([looking], timeout=_CANCELLED_WITHIN)
            return True
        finally:
            stopped.cancel()
            looking.cancel()

    async def _look(self) -> None:
        while True:
            run = as_object((await self._server.execute(_READ, {"id": self._id}))["loadRun"])
            self.report = report_of(as_object(run["report"]))
            self._view.told(self.report.begun - self.report.running, self.report.running)
            if run["finishedAt"] is not None:
                return
            await asyncio.sleep(_EVERY)


def report_of(fields: JSONObject) -> LoadReport:
    """A report as the API tells it."""
    statuses = [as_object(each) for each in as_list(fields["statuses"])]
    errors = [as_object(each) for each in as_list(fields["errors"])]
    return LoadReport(
        begun=int(str(fields["begun"])),
        running=int(str(fields["running"])),
        seconds=_number(fields["seconds"]) or 0.0,
        per_second=_number(fields["perSecond"]),
        statuses={ExecutionStatus(str(each["status"])): int(str(each["count"])) for each in statuses},
        errors={str(each["code"]): int(str(each["count"])) for each in errors},
        durations=_spread(as_object(fields["durations"])),
        queue_waits=_spread(as_object(fields["queueWaits"])),
        nodes=[_node(as_object(each)) for each in as_list(fields["nodes"])],
    )


def _input(workflow: RemoteWorkflow, case: Case, load: LoadSize) -> JSONObject:
    pins = case.trial.pins.items()
    return {
        "workflowId": workflow.id,
        "count": load.count,
        "concurrency": load.concurrency,
        "rate": load.rate,
        "input": case.input,
        "variables": case.variables,
        "timeout": case.timeout,
        "test": {
            "pins": [{"node": node, "output": pin.output, "handle": pin.handle} for node, pin in pins],
            "effects": sorted(case.trial.effects),
        },
    }


def _spread(fields: JSONObject) -> Spread:
    p50, p95, p99, longest = (_number(fields[name]) for name in ("p50Ms", "p95Ms", "p99Ms", "maxMs"))
    return Spread(p50=p50, p95=p95, p99=p99, max=longest)


def _node(fields: JSONObject) -> NodeTime:
    total, p50, p95, longest = (_number(fields[name]) or 0.0 for name in ("totalMs", "p50Ms", "p95Ms", "maxMs"))
    return NodeTime(
        node=str(fields["node"]),
        attempts=int(str(fields["attempts"])),
        total_ms=total,
        p50_ms=p50,
        p95_ms=p95,
        max_ms=longest,
    )


def _number(value: JSON) -> float | None:
    return float(value) if isinstance(value, int | float) else None
