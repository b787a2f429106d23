"""Test cases run on the embedded servers: each an execution in test mode, judged from its log."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import uuid_utils.compat as uuid

from app.cases_report import CaseReport, CasesReport
from app.cases_request import CasesRequest
from app.clock import utc_now
from app.live_screen import shown
from app.local_progress import progress_of
from app.local_site import Ground, LocalSite, local_site, on_this_machine
from app.run_local import until_over
from app.settings import Settings
from app.signals import stop_event
from domain.engine.decide import fold
from domain.engine.events import Event
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.ids import encode
from domain.starts import NewExecution, TriggerType
from domain.testcases import Case
from domain.testcases_run import request_of
from domain.trials_verdict import Verdict, judge

BY = "weir test-workflow"


def run_cases(request: CasesRequest, settings: Settings) -> CasesReport:
    """Blocks until every case is over, or until Ctrl-C has cancelled them. Raises Refusal before any starts."""
    return on_this_machine(settings, lambda ground: _run(request, ground))


async def _run(request: CasesRequest, ground: Ground) -> CasesReport:
    stop = stop_event()
    file = request.file
    async with local_site(file, ground, demo=needs_demo(request.cases)) as site:
        executions = [new_execution(case, site) for case in request.cases]
        labels = [case.name for case in request.cases]
        progress = progress_of(executions, labels, file.definition, title=file.document.name)
        async with site.worker(list(progress.numbers), progress) as worker:
            await site.begin(executions, worker)
            async with shown(progress.view, ground.console):
                interrupted = await until_over(progress, stop, site, by=BY)
        return CasesReport(
            workflow=file.document.name,
            cases=await _reports(request.cases, executions, site),
            interrupted=interrupted,
        )


def needs_demo(cases: Sequence[Case]) -> bool:
    """Only who may act outside reaches it."""
    return any(case.trial.effects for case in cases)


def new_execution(case: Case, site: LocalSite) -> NewExecution:
    """The row to be of one run of the case."""
    return prepare(start_of(case, site), site.version, origin(), ids=uuid.uuid7, now=utc_now())


def start_of(case: Case, site: LocalSite) -> StartRequest:
    """`vars.demo` is where the demo serves, if it does."""
    demo = {"demo": site.demo.url} if site.demo is not None else {}
    request = request_of(case, site.version.workflow_id)
    return replace(request, variables={**demo, **request.variables})


def origin() -> Origin:
    return Origin(by=BY, type=TriggerType.MANUAL)


async def _reports(cases: Sequence[Case], executions: Sequence[NewExecution], site: LocalSite) -> Sequence[CaseReport]:
    ids = [execution.id for execution in executions]
    logs = await site.stores.log.whole(ids)
    found = {execution.id: execution for execution in await site.stores.executions.by_ids(ids)}
    reports: list[CaseReport] = []
    for case, execution_id in zip(cases, ids, strict=True):
        row = found.get(execution_id)
        reports.append(
            CaseReport(
                name=case.name,
                execution=encode("execution", execution_id),
                status=row.status if row is not None else None,
                seconds=_seconds(row.started_at, row.finished_at) if row is not None else 0.0,
                verdict=await _verdict(case, logs[execution_id], site),
            )
        )
    return reports


async def _verdict(case: Case, log: Sequence[Event], site: LocalSite) -> Verdict | None:
    if not log:
        return None
    state = fold(site.services.plans.of(site.version), log, keeps=True)
    return await judge(case.trial, state, tenant_id=site.tenant_id, evaluator=site.services.evaluator)


def _seconds(began: datetime | None, ended: datetime | None) -> float:
    return (ended - began).total_seconds() if began is not None and ended is not None else 0.0
