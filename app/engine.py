"""Wires the engine of one process: everything that claims, runs and journals executions."""

import asyncio
import gc
import logging
import os
import random
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import uuid_utils.compat as uuid
from arq.connections import ArqRedis, create_pool
from redis.exceptions import RedisError

from app.clock import utc_now
from app.keyring import keyring
from app.master_keys import MasterKeys
from app.quotas import default_quotas
from app.settings import Settings
from app.storage import file_limits, file_storage
from db.callees import PostgresCallees
from db.claims import PostgresOwnership
from db.connections import EnginePool, engine_pool
from db.definitions import PostgresDefinitions
from db.files import PostgresFiles, PostgresFileSweeping
from db.inbox import PostgresInbox
from db.journal import PostgresJournal
from db.journal_relations import Touched
from db.liveness import Heartbeat, PostgresLiveness
from db.load_runs_feed import PostgresLoadFeeding
from db.locks import PostgresLocks
from db.log import EngineLogs
from db.quotas import with_default_quotas
from db.service_connections_step import StepConnections
from db.streams import PostgresStreamDesk
from db.sweeps import PostgresSweeping
from db.tasks_desk import PostgresTaskDesk
from domain.callbacks import Callback, make_token
from domain.children import Children, TenantChildren
from domain.engine.ports import Append
from domain.files import Storage
from domain.files_keep import FileLimits, Keeping, StepFiles
from domain.ids import ExecutionId, TenantId, WorkerId
from domain.tasks import TaskAnnouncer
from jobs.announcements import Announcer
from jobs.breakers import BreakerLimits, Breakers
from jobs.driver import Driver
from jobs.executor import Executor
from jobs.failure_handlers import Handlers
from jobs.file_sweeper import FileSweeper
from jobs.grace import Grace
from jobs.load_runs import LoadFeeder
from jobs.mail import listen_for_mail
from jobs.nodes.catalog import CATALOG
from jobs.outgoing import Outgoing
from jobs.programs import Programs
from jobs.publisher import Publisher
from jobs.queue import QUEUE, ArqDoorbell, redis_settings, serialize
from jobs.relations import Relatives
from jobs.result_cache import RedisResults
from jobs.run_snapshots import RunSnapshots
from jobs.runs import Run
from jobs.sandbox.evaluator import Evaluator
from jobs.sandbox.sandbox import Sandbox
from jobs.services import StepServices, Supplies
from jobs.steps import StepRunner
from jobs.sweeper import Sweeper
from jobs.tasks import doorbell_worker
from jobs.version_changes import VersionChanges

log = logging.getLogger("weir.worker")

_YOUNG = 20_000
"""Objects made between two looks of the garbage collector: nearly all that a step makes is gone by reference counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """`only`: run nothing but these (a local run). `allow`: private HOST:PORT that requests may go to.

    `queue` is the doorbell's: a local run has one of its own, for whoever hears a ring keeps it from the others.
    `watch` sees every append once it is durable, and `announcer` every beginning step, besides the publisher.
    """

    public_url: str
    only: Sequence[ExecutionId] | None = None
    queue: str = QUEUE
    allow: tuple[str, ...] = ()
    watch: Callable[[Sequence[Append]], None] | None = None
    announcers: tuple[Announcer, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    worker: WorkerId
    executor: Executor
    pool: EnginePool
    doorbell: ArqDoorbell
    evaluator: Evaluator


@asynccontextmanager
async def running_engine(
    *, database_url: str, redis_url: str, master_keys: MasterKeys, settings: Settings, options: EngineOptions
) -> AsyncGenerator[Engine]:
    """The engine at work. On leaving it drains: running steps may finish, the rest is handed over."""
    worker = WorkerId(uuid.uuid7())
    async with AsyncExitStack() as stack:
        pool = await engine_pool(with_default_quotas(database_url, default_quotas(settings)), settings.db_pool_size)
        stack.push_async_callback(pool.close)
        arq: ArqRedis = await create_pool(redis_settings(redis_url), job_serializer=serialize)
        stack.push_async_callback(arq.aclose)
        publisher = Publisher(arq)
        stack.push_async_callback(publisher.close)
        liveness = PostgresLiveness(pool)
        await liveness.register(worker, utc_now(), host=socket.gethostname(), pid=os.getpid())
        stack.push_async_callback(_retire, liveness, worker)
        heartbeat = Heartbeat(database_url, worker)
        heartbeat.start()
        stack.push_async_callback(asyncio.to_thread, heartbeat.stop)
        most = settings.tenant_concurrency
        ownership = PostgresOwnership(pool, tenant_concurrency=most, bell=lambda: executor.ring())
        doorbell = ArqDoorbell(arq, options.queue)
        relatives = Relatives(lambda tenant, ids: executor.begun(tenant, ids, doorbell))
        feeder = LoadFeeder(
            PostgresLoadFeeding(pool, tenants_limited=most is not None),
            doorbell=doorbell,
            inbox=PostgresInbox(pool),
            changes=publisher,
            clock=utc_now,
            ids=uuid.uuid7,
        )
        durable = _tee(_tee(_tee(publisher.committed, ownership.committed), relatives.committed), feeder.committed)
        durable = _tee(durable, options.watch)
        touched = partial(_tell, relatives=relatives, tasks=publisher)
        journal = PostgresJournal(pool, on_committed=durable, on_touched=touched)
        journal.start()
        stack.push_async_callback(journal.close)  # before the worker signs off, else its last events are refused
        sandbox = await stack.enter_async_context(Sandbox())
        evaluator = Evaluator(sandbox)
        programs = Programs(PostgresDefinitions(pool), CATALOG)
        executor = Executor(
            worker=worker,
            journal=journal,
            ownership=ownership,
            programs=programs,
            pulse=heartbeat,
            changes=publisher,
            clock=utc_now,
            capacity=settings.worker_capacity,
            only=options.only,
        )
        outgoing = Outgoing(
            allow=(*settings.http_allow, *options.allow),
            deny=settings.denied,
            block_private=settings.http_block_private,
        )
        stack.push_async_callback(outgoing.close)
        storage = file_storage(settings)
        children = partial(_children, pool=pool)
        supplies = Supplies(
            http=outgoing,
            evaluator=evaluator,
            children=children,
            sandbox=sandbox,
            breaker=Breakers(arq, _breaker_limits(settings)).of,
            connections=partial(StepConnections, pool=pool, keyring=keyring(master_keys, settings)),
            files=_files(pool, storage, file_limits(settings)),
            locks=PostgresLocks(pool).desk,
            streams=partial(PostgresStreamDesk, pool, ids=uuid.uuid7, clock=utc_now),
            tasks=partial(PostgresTaskDesk, pool, announcer=publisher, ids=uuid.uuid7, clock=utc_now),
        )
        executor.attach(
            Driver(
                journal=journal,
                steps=_step_runner(settings, options.public_url, supplies, master_keys, arq),
                announcer=_Announcers((publisher, *options.announcers)),
                clock=utc_now,
                draw=random.random,
                healthy=lambda: executor.trusted,
                slots=settings.worker_steps,
                dropped=executor.dropped,
                settled=executor.settled,
                handlers=Handlers(children),
                versions=VersionChanges(
                    programs=programs, logs=EngineLogs(pool), clock=utc_now, settled=executor.settled
                ),
                grace=Grace(settings.cancel_grace_seconds),
                snapshot=RunSnapshots(ownership).save,
            )
        )
        executor.start()
        stack.push_async_callback(executor.drain, settings.drain_seconds)
        sweeping = PostgresSweeping(pool, tenant_concurrency=most)
        background = [
            asyncio.create_task(Sweeper(sweeping, doorbell, executor.ring).run()),
            asyncio.create_task(FileSweeper(PostgresFileSweeping(pool), storage, utc_now).run()),
            asyncio.create_task(_listening(arq, executor, options.queue)),
            asyncio.create_task(listen_for_mail(arq, executor.called)),
        ]
        if options.only is None:
            background.append(asyncio.create_task(feeder.run()))
        stack.push_async_callback(_stop, background)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, 20, 50)
        yield Engine(worker=worker, executor=executor, pool=pool, doorbell=doorbell, evaluator=evaluator)


def _step_runner(
    settings: Settings, public_url: str, supplies: Supplies, master_keys: MasterKeys, arq: ArqRedis
) -> StepRunner:
    def callback_url(callback: Callback) -> str:
        secret = master_keys.derived("resume token")[0]
        return f"{public_url}/resume/{make_token(secret, callback)}"

    return StepRunner(
        evaluator=supplies.evaluator,
        services=lambda tenant: StepServices(tenant=tenant, supplies=supplies),
        callback_url=callback_url,
        max_output_bytes=settings.max_output_bytes,
        results=partial(RedisResults, arq),
    )


def _children(tenant: TenantId, *, pool: EnginePool) -> Children:
    return TenantChildren(callees=PostgresCallees(pool, tenant), ids=uuid.uuid7, clock=utc_now)


def _breaker_limits(settings: Settings) -> BreakerLimits:
    return BreakerLimits(
        failures=settings.breaker_failures,
        window=settings.breaker_window_seconds,
        open_for=settings.breaker_open_seconds,
        lease=settings.breaker_probe_seconds,
    )


def _files(pool: EnginePool, storage: Storage, limits: FileLimits) -> Callable[[TenantId], StepFiles]:
    def files_of(tenant: TenantId) -> StepFiles:
        rows = PostgresFiles(tenant, pool.fetch)
        return StepFiles(
            Keeping(tenant_id=tenant, rows=rows, storage=storage, limits=limits, ids=uuid.uuid7, clock=utc_now)
        )

    return files_of


def _tee(
    first: Callable[[Sequence[Append]], None], second: Callable[[Sequence[Append]], None] | None
) -> Callable[[Sequence[Append]], None]:
    if second is None:
        return first

    def both(appends: Sequence[Append]) -> None:
        first(appends)
        second(appends)

    return both


def _tell(touched: Touched, *, relatives: Relatives, tasks: TaskAnnouncer) -> None:
    """Others hear of what a durable batch did for them."""
    relatives.woken(touched.woken)
    for tenant, ids in touched.withdrawn.items():
        tasks.announce_tasks(tenant, ids)


class _Announcers:
    """Several announcers as one."""

    def __init__(self, announcers: Sequence[Announcer]) -> None:
        self._announcers = announcers

    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        for announcer in self._announcers:
            announcer.step_began(run, path, node, attempt, at)


async def _listening(arq: ArqRedis, executor: Executor, queue: str) -> None:
    """Answer the doorbell, and again after Redis was away."""
    while True:
        worker = doorbell_worker(arq, executor.ring, queue)
        try:
            await worker.main()
        except (RedisError, OSError) as error:
            log.warning("the doorbell is out of order, trying again: %s", error)
        finally:
            jobs = asyncio.gather(*worker.tasks.values(), return_exceptions=True)
            with suppress(TimeoutError):  # to cancel one at once would orphan what arq shields of it
                async with asyncio.timeout(1.0):
                    await jobs
        await asyncio.sleep(0.5)


async def _retire(liveness: PostgresLiveness, worker: WorkerId) -> None:
    """What the worker still holds becomes claimable at once; without a database it does so by its silence."""
    try:
        await liveness.retire(worker)
    except ConnectionError as error:
        log.warning("the worker could not sign off: %s", error)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
