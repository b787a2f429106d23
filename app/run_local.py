"""A workflow file run on the embedded servers: stored as an unlisted version, executed here, shown live."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from socket import socket
from uuid import UUID, uuid5

import uuid_utils.compat as uuid
import uvloop
from rich.console import Console

from app import logs
from app.api import running_api
from app.bootstrap import ensure_tenant
from app.clock import utc_now
from app.demo import demo_server
from app.doubts import say_doubts
from app.engine import EngineOptions, running_engine
from app.live_screen import shown
from app.live_view import RunView
from app.run_request import RunRequest
from app.run_result import RunEnd, RunResult
from app.settings import Settings
from app.signals import stop_event
from app.stack import Stack, open_stack
from app.up import listening, serving
from app.worker import keep_alive
from db.migrate import migrate
from domain import connections_used
from domain.engine.ports import Append, InboxKind
from domain.errors import Conflict, Refusal
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.executions_start import MAX_STARTS, Starting, commit
from domain.graphs import Definition, Variable
from domain.ids import ExecutionId, TenantId, WorkflowId
from domain.json import JSON
from domain.starts import NewExecution, TriggerType
from domain.versions import Version, unnumbered
from domain.workflows import Workflow
from domain.workflows_check import refuse_errors
from jobs.nodes.catalog import CATALOG
from jobs.queue import QUEUE
from jobs.runs import Run
from resolvers.context import Services, Stores

_CANCELLED_WITHIN = 10.0
_FILES = UUID("6f1c1c0e-6f0e-5c6b-9d57-3d3f3a5d7f10")
"""Namespace of the ids of unlisted workflows: one per file name and name, however often it is run."""


def run_local(request: RunRequest, settings: Settings) -> RunEnd:
    """Blocks until every execution is over, or until Ctrl-C has cancelled them. Raises Refusal before any starts."""
    console = Console(stderr=True)
    definition = runnable(request)
    settings = settings.model_copy(update={"log_level": "ERROR"} if settings.log_level == "INFO" else {})
    logs.configure(settings)

    def say(text: str) -> None:
        console.print(text, style="bright_black", markup=False, highlight=False, soft_wrap=True)

    with listening("127.0.0.1", 0) as bound:
        settings = settings.model_copy(update={"host": "127.0.0.1", "port": bound.getsockname()[1], "public_url": None})
        with open_stack(settings, report=say) as stack:
            local = _LocalRun(request, definition, stack, console, say)
            return uvloop.run(local.run(bound))


def runnable(request: RunRequest) -> Definition:
    """The document's definition, checked; a document with a demo has the variable `demo`. Raises InvalidGraph."""
    definition = request.document.definition
    if request.document.demo is not None and "demo" not in definition.variables:
        demo = Variable(description="Where the demo server is reached")
        definition = replace(definition, variables={**definition.variables, "demo": demo})
    refuse_errors(definition, CATALOG)
    return definition


@dataclass
class _Progress:
    """Feeds the view with what becomes durable and what begins; knows how each execution ended."""

    view: RunView
    numbers: dict[ExecutionId, int]
    results: list[RunResult]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0

    def committed(self, appends: Sequence[Append]) -> None:
        for append in appends:
            number = self.numbers.get(append.execution_id)
            if number is None:
                continue
            for event in append.events:
                self.view.event(number, event)
            if append.finished is not None:
                done = append.finished
                self.results[number] = RunResult(status=done.status, output=done.output, error=done.error)
                self.view.finished(number, done.status)
                self.left -= 1
        if self.left == 0:
            self.over.set()

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        number = self.numbers.get(run.execution_id)
        if number is not None:
            self.view.activity(number, path, node, attempt, "ACTIVE", at)


class _LocalRun:
    def __init__(
        self, request: RunRequest, definition: Definition, stack: Stack, console: Console, say: Callable[[str], None]
    ) -> None:
        self._request = request
        self._definition = definition
        self._stack = stack
        self._console = console
        self._say = say

    async def run(self, bound: socket) -> RunEnd:
        stop = stop_event()
        stack, settings = self._stack, self._stack.settings
        await migrate(stack.database_url)
        async with AsyncExitStack() as running:
            queue = f"{QUEUE}:{uuid.uuid7()}"
            variables = dict(self._request.variables)
            allow: tuple[str, ...] = ()
            if self._request.document.demo is not None:
                demo = await running.enter_async_context(
                    demo_server(
                        self._request.file,
                        self._request.document.demo,
                        log=settings.data_dir / "demo.log",
                        say=self._say,
                    )
                )
                variables.setdefault("demo", demo.url)
                allow = (f"{demo.host}:{demo.port}",)
            api = await running.enter_async_context(
                running_api(
                    database_url=stack.database_url,
                    redis_url=stack.redis_url,
                    master_key=stack.master_key(),
                    settings=settings,
                    queue=queue,
                )
            )
            tenant = await ensure_tenant(api.pool)
            stores = api.services.stores(tenant.id)
            say_doubts(await connections_used.findings(self._definition, CATALOG, stores.connections), self._say)
            executions = await self._prepared(tenant.id, stores, variables)
            progress = self._progress(executions)
            await running.enter_async_context(serving(api.app, bound))
            engine = await running.enter_async_context(
                running_engine(
                    database_url=stack.database_url,
                    redis_url=stack.redis_url,
                    master_key=stack.master_key(),
                    settings=settings.model_copy(update={"drain_seconds": 1.0}),
                    options=EngineOptions(
                        public_url=settings.url,
                        only=[execution.id for execution in executions],
                        queue=queue,
                        allow=allow,
                        watch=progress.committed,
                        announcers=(progress,),
                    ),
                )
            )
            own = [replace(execution, owner=engine.worker) for execution in executions]
            await self._start(tenant.id, stores, api.services, own)
            alive = asyncio.create_task(keep_alive(stack, self._say))
            async with shown(progress.view, self._console):
                interrupted = await self._until_over(progress, stop, tenant.id, api.services)
            alive.cancel()
            return RunEnd(results=progress.results, interrupted=interrupted)

    async def _prepared(
        self, tenant_id: TenantId, stores: Stores, variables: dict[str, JSON]
    ) -> Sequence[NewExecution]:
        """The rows to be, on a version stored once per content. Raises Invalid for an input the schema refuses."""
        version = await self._version(tenant_id, stores)
        origin = Origin(by="weir run", type=TriggerType.MANUAL)
        prepared: list[NewExecution] = []
        for index, value in enumerate(self._request.inputs):
            start = StartRequest(workflow_id=version.workflow_id, input=value, variables=variables, draft=True)
            try:
                prepared.append(prepare(start, version, origin, ids=uuid.uuid7, now=utc_now()))
            except Refusal as refusal:
                if self._request.many:
                    refusal.message = f"Element {index} of --each: {refusal.message}"
                raise
        return prepared

    async def _version(self, tenant_id: TenantId, stores: Stores) -> Version:
        document, now = self._request.document, utc_now()
        key = f"{tenant_id}/{self._request.file.name}/{document.name}"
        workflow = Workflow(
            id=WorkflowId(uuid5(_FILES, key)),
            name=document.name,
            description=document.description,
            draft=self._definition,
            listed=False,
            created_at=now,
            updated_at=now,
        )
        if not await stores.workflows.by_ids([workflow.id]):
            try:
                await stores.workflow_writer.insert(workflow)
            except Conflict:
                self._say("another run of this file is storing it too")
        return await stores.versions.keep(unnumbered(workflow.id, self._definition, ids=uuid.uuid7, now=now))

    def _progress(self, executions: Sequence[NewExecution]) -> _Progress:
        graph = self._definition.graph
        view = RunView(
            [(node.id, node.name or node.id, node.kind) for node in graph.nodes],
            len(executions),
            self._request.labels,
            edges=[(edge.source, edge.target) for edge in graph.edges],
            title=self._request.document.name,
        )
        progress = _Progress(
            view=view,
            numbers={execution.id: number for number, execution in enumerate(executions)},
            results=[RunResult() for _ in executions],
            left=len(executions),
        )
        if not executions:
            progress.over.set()
        for number, execution in enumerate(executions):
            for event in execution.events:
                view.event(number, event)
        return progress

    async def _start(
        self, tenant_id: TenantId, stores: Stores, services: Services, executions: Sequence[NewExecution]
    ) -> None:
        given = Starting(
            tenant_id=tenant_id,
            workflows=stores.workflows,
            versions=stores.versions,
            placements=stores.placements,
            executions=stores.executions,
            starts=services.starts,
            doorbell=services.doorbell,
            changes=services.changes,
            ids=services.ids,
        )
        for first in range(0, len(executions), MAX_STARTS):
            for answer in await commit(executions[first : first + MAX_STARTS], given=given):
                if isinstance(answer, Refusal):
                    raise answer

    async def _until_over(
        self, progress: _Progress, stop: asyncio.Event, tenant_id: TenantId, services: Services
    ) -> bool:
        """True when it was interrupted: then everything that still ran has been asked to stop."""
        over = asyncio.ensure_future(progress.over.wait())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([over, stopped], return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            stopped.cancel()
            return False
        self._say("interrupted: cancelling what still runs (once more to leave at once)")
        for execution, number in progress.numbers.items():
            if not progress.results[number].status.terminal:
                reason = {"reason": "interrupted", "by": "weir run"}
                await services.inbox.post(tenant_id, execution, InboxKind.CANCEL, "cancel", reason)
                await services.doorbell.ring(tenant_id, [execution])
        await asyncio.wait([over], timeout=_CANCELLED_WITHIN)
        over.cancel()
        return True
