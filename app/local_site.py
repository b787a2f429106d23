"""Where a workflow file runs on this machine: the embedded servers, the API on a free port, a worker of its own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket
from typing import TypeVar
from uuid import UUID, uuid5

import uuid_utils.compat as uuid
import uvloop
from rich.console import Console

from app import logs
from app.api import Api, running_api
from app.bootstrap import ensure_tenant
from app.clock import utc_now
from app.demo import Demo, demo_server
from app.engine import EngineOptions, running_engine
from app.local_progress import Watcher
from app.settings import Settings
from app.stack import Stack, open_stack
from app.up import listening, serving
from app.worker import keep_alive
from db.migrate import migrate
from domain.engine.ports import InboxKind
from domain.errors import Conflict, Refusal
from domain.executions_start import MAX_STARTS, Starting, commit
from domain.graphs import Definition, Document, Variable
from domain.ids import ExecutionId, TenantId, WorkerId, WorkflowId
from domain.starts import NewExecution
from domain.versions import Version, unnumbered
from domain.workflows import Workflow
from domain.workflows_check import refuse_errors
from jobs.nodes.catalog import CATALOG
from jobs.queue import QUEUE
from resolvers.context import Services, Stores

_FILES = UUID("6f1c1c0e-6f0e-5c6b-9d57-3d3f3a5d7f10")
"""Namespace of the ids of unlisted workflows: one per file name and name, however often it is run."""

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The servers, the socket that the API is to serve, and where to say what goes on."""

    stack: Stack
    bound: socket
    console: Console
    say: Say


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A document that can be run: its definition is checked, and has the variable `demo` where there is a demo."""

    path: Path
    document: Document
    definition: Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSite:
    """`version`: the content of the file, stored once. `demo`: where the document names one and it was asked for."""

    ground: Ground
    api: Api
    tenant_id: TenantId
    stores: Stores
    version: Version
    queue: str
    demo: Demo | None

    @property
    def services(self) -> Services:
        return self.api.services

    async def begin(self, executions: Sequence[NewExecution], worker: WorkerId) -> None:
        """Commit executions that this worker alone is to run."""
        given = self._starting
        own = [replace(execution, owner=worker) for execution in executions]
        for first in range(0, len(own), MAX_STARTS):
            for answer in await commit(own[first : first + MAX_STARTS], given=given):
                if isinstance(answer, Refusal):
                    raise answer

    async def cancel(self, executions: Iterable[ExecutionId], by: str) -> None:
        """Ask these to stop."""
        for execution in executions:
            reason = {"reason": "interrupted", "by": by}
            await self.services.inbox.post(self.tenant_id, execution, InboxKind.CANCEL, "cancel", reason)
            await self.services.doorbell.ring(self.tenant_id, [execution])

    @asynccontextmanager
    async def worker(self, only: Sequence[ExecutionId], watcher: Watcher) -> AsyncGenerator[WorkerId]:
        """A worker for these executions alone, and the API, while the block runs."""
        stack, settings = self.ground.stack, self.ground.stack.settings
        options = EngineOptions(
            public_url=settings.url,
            only=only,
            queue=self.queue,
            allow=(f"{self.demo.host}:{self.demo.port}",) if self.demo is not None else (),
            watch=watcher.committed,
            announcers=(watcher,),
        )
        async with (
            serving(self.api.app, self.ground.bound),
            running_engine(
                database_url=stack.database_url,
                redis_url=stack.redis_url,
                master_keys=stack.master_keys(),
                settings=settings.model_copy(update={"drain_seconds": 1.0}),
                options=options,
            ) as engine,
        ):
            alive = asyncio.create_task(keep_alive(stack, self.ground.say))
            try:
                yield engine.worker
            finally:
                alive.cancel()

    @property
    def _starting(self) -> Starting:
        return Starting(
            tenant_id=self.tenant_id,
            workflows=self.stores.workflows,
            versions=self.stores.versions,
            placements=self.stores.placements,
            executions=self.stores.executions,
            starts=self.services.starts,
            doorbell=self.services.doorbell,
            changes=self.services.changes,
            ids=self.services.ids,
        )


def on_this_machine(settings: Settings, work: Callable[[Ground], Awaitable[T]]) -> T:
    """What `work` comes to on the embedded servers; blocks. Raises what they cannot start for, and what it raises."""
    console = Console(stderr=True)
    settings = settings.model_copy(update={"log_level": "ERROR"} if settings.log_level == "INFO" else {})
    logs.configure(settings)

    def say(text: str) -> None:
        console.print(text, style="bright_black", markup=False, highlight=False, soft_wrap=True)

    async def run(ground: Ground) -> T:
        return await work(ground)

    with listening("127.0.0.1", 0) as bound:
        settings = settings.model_copy(update={"host": "127.0.0.1", "port": bound.getsockname()[1], "public_url": None})
        with open_stack(settings, report=say) as stack:
            return uvloop.run(run(Ground(stack=stack, bound=bound, console=console, say=say)))


def local_file(path: Path, document: Document) -> LocalFile:
    """Raises InvalidGraph."""
    definition = document.definition
    if document.demo is not None and "demo" not in definition.variables:
        demo = Variable(description="Where the demo server is reached")
        definition = replace(definition, variables={**definition.variables, "demo": demo})
    refuse_errors(definition, CATALOG)
    return LocalFile(path=path, document=document, definition=definition)


@asynccontextmanager
async def local_site(file: LocalFile, ground: Ground, *, demo: bool = True) -> AsyncGenerator[LocalSite]:
    """The file stored on the servers, its demo serving unless `demo` is False. Raises Refusal."""
    stack, settings = ground.stack, ground.stack.settings
    await migrate(stack.database_url)
    async with AsyncExitStack() as running:
        served: Demo | None = None
        if demo and file.document.demo is not None:
            log = settings.data_dir / "demo.log"
            served = await running.enter_async_context(
                demo_server(file.path, file.document.demo, log=log, say=ground.say)
            )
        queue = f"{QUEUE}:{uuid.uuid7()}"
        api = await running.enter_async_context(
            running_api(
                database_url=stack.database_url,
                redis_url=stack.redis_url,
                master_keys=stack.master_keys(),
                settings=settings,
                queue=queue,
            )
        )
        tenant = await ensure_tenant(api.pool)
        stores = api.services.stores(tenant.id)
        version = await _version(file, tenant.id, stores, ground.say)
        yield LocalSite(
            ground=ground,
            api=api,
            tenant_id=tenant.id,
            stores=stores,
            version=version,
            queue=queue,
            demo=served,
        )


async def _version(file: LocalFile, tenant_id: TenantId, stores: Stores, say: Say) -> Version:
    document, now = file.document, utc_now()
    workflow = Workflow(
        id=WorkflowId(uuid5(_FILES, f"{tenant_id}/{file.path.name}/{document.name}")),
        name=document.name,
        description=document.description,
        draft=file.definition,
        listed=False,
        created_at=now,
        updated_at=now,
    )
    if not await stores.workflows.by_ids([workflow.id]):
        try:
            await stores.workflow_writer.insert(workflow)
        except Conflict:
            say("another run of this file is storing it too")
    return await stores.versions.keep(unnumbered(workflow.id, file.definition, ids=uuid.uuid7, now=now))
