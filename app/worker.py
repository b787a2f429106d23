"""The worker process: an engine until it is asked to stop."""

import asyncio
from collections.abc import Callable

import uvloop

from app import logs
from app.engine import Engine, EngineOptions, running_engine
from app.settings import Settings
from app.signals import stop_event
from app.stack import Stack, open_stack
from db.migrate import migrate

Say = Callable[[str], None]


def run_worker(settings: Settings, *, say: Say, tied: bool = False) -> None:
    """Blocks until SIGINT, SIGTERM or, when `tied`, the end of standard input."""
    logs.configure(settings)
    with open_stack(settings, report=say) as stack:
        uvloop.run(_work(stack, say=say, tied=tied))


async def _work(stack: Stack, *, say: Say, tied: bool) -> None:
    stop = stop_event(tied=tied)
    await migrate(stack.database_url)
    options = EngineOptions(public_url=stack.settings.url)
    async with running_engine(
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        master_keys=stack.master_keys(),
        settings=stack.settings,
        options=options,
    ) as engine:
        say("worker ready")
        await until_stopped(stop, engine, stack, say)
        say("worker stops: running steps may finish")


async def until_stopped(stop: asyncio.Event, engine: Engine | None, stack: Stack, say: Say) -> None:
    """Return when `stop` is set; meanwhile keep embedded servers alive. Raises what ended the engine's own loops."""
    stopping = asyncio.ensure_future(stop.wait())
    reviving = asyncio.ensure_future(keep_alive(stack, say))
    failing = [asyncio.ensure_future(engine.executor.failed())] if engine else []
    done, rest = await asyncio.wait([stopping, reviving, *failing], return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    for task in done:
        task.result()


async def keep_alive(stack: Stack, say: Say) -> None:
    """Start embedded servers again that have died; never returns."""
    while True:
        await asyncio.sleep(1.0)
        for name in await asyncio.to_thread(stack.revive, say):
            say(f"{name} had died and was started again")
