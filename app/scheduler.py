"""The scheduler process: sweeps, removes files that are over, and keeps partitions ahead of time."""

import asyncio
import logging
from collections.abc import Callable

import asyncpg
import uvloop
from arq.connections import create_pool

from app import logs
from app.clock import utc_now
from app.settings import Settings
from app.signals import stop_event
from app.stack import Stack, open_stack
from app.storage import file_storage
from app.worker import until_stopped
from db import partitions
from db.connections import engine_pool
from db.files import PostgresFileSweeping
from db.migrate import migrate
from db.sweeps import PostgresSweeping
from jobs.file_sweeper import FileSweeper
from jobs.queue import ArqDoorbell, redis_settings, serialize
from jobs.sweeper import Sweeper

log = logging.getLogger("weir.scheduler")

_EVERY = 6 * 3600.0


def run_scheduler(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Blocks until SIGINT or SIGTERM."""
    logs.configure(settings)
    with open_stack(settings, report=say) as stack:
        uvloop.run(_schedule(stack, say))


async def _schedule(stack: Stack, say: Callable[[str], None]) -> None:
    stop = stop_event()
    await migrate(stack.database_url)
    pool = await engine_pool(stack.database_url, 2)
    arq = await create_pool(redis_settings(stack.redis_url), job_serializer=serialize)
    sweeps = PostgresSweeping(pool, tenant_concurrency=stack.settings.tenant_concurrency)
    sweeping = asyncio.create_task(Sweeper(sweeps, ArqDoorbell(arq)).run())
    filing = asyncio.create_task(FileSweeper(PostgresFileSweeping(pool), file_storage(stack.settings), utc_now).run())
    ahead = asyncio.create_task(keep_partitions_ahead(stack.database_url))
    try:
        say("scheduler ready")
        await until_stopped(stop, None, stack, say)
    finally:
        for task in (sweeping, filing, ahead):
            task.cancel()
        await asyncio.gather(sweeping, filing, ahead, return_exceptions=True)
        await arq.aclose()
        await pool.close()


async def keep_partitions_ahead(database_url: str) -> None:
    """Make the coming months' partitions, now and every six hours; never returns."""
    while True:
        try:
            connection = await asyncpg.connect(database_url)
            try:
                await partitions.ensure_ahead(connection)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("making partitions failed, trying again later: %s", error)
        await asyncio.sleep(_EVERY)
