"""Which process serves a call: idle ones are used again, broken ones replaced by whoever broke them."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from jobs.sandbox.outcomes import Language, SandboxError
from jobs.sandbox.process import SandboxProcess
from jobs.sandbox.turns import Turns

log = logging.getLogger("weir.sandbox")

_LONG_SECONDS: Final = 0.1
"""A call that lasts longer gives way to others."""
_KEPT: Final = 2
"""Idle processes kept for each language."""


class Pool:
    """All the sandbox processes of a process of ours; the first call starts the first of them."""

    def __init__(self) -> None:
        self._idle: dict[Language, list[SandboxProcess]] = {language: [] for language in Language}
        self._busy: set[SandboxProcess] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self.layers: tuple[str, ...] = ()
        """The protections of the process started last."""
        self.closed = False

    @asynccontextmanager
    async def process(self, tenant: str, turns: Turns, language: Language) -> AsyncGenerator[SandboxProcess]:
        """A process for one call of the tenant's, in its turn; slowed down when the call lasts long.

        It is used again when the call ended well and left it `worn` false. Raises SandboxError.
        """
        await turns.acquire(tenant)
        try:
            process = await self._taken(language)
        except BaseException:
            turns.release(tenant)
            raise
        self._busy.add(process)
        slowing = asyncio.get_running_loop().call_later(_LONG_SECONDS, process.slow_down)
        try:
            yield process
        except BaseException:  # an answer still to come would be taken for that of the next call
            process.worn = True
            raise
        finally:
            slowing.cancel()
            self._busy.discard(process)
            if self._keeps(language, process):
                turns.release(tenant)
            else:  # in a task of its own: a caller that is cancelled, and once more, leaves no process behind
                self._settling.add(settling := asyncio.create_task(self._settle(tenant, turns, language, process)))
                settling.add_done_callback(self._settling.discard)
                await asyncio.shield(settling)

    async def close(self) -> None:
        """Ends all processes."""
        self.closed = True
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, *self._settling, return_exceptions=True)
        for process in (*(process for idle in self._idle.values() for process in idle), *self._busy):
            await process.end()
        for idle in self._idle.values():
            idle.clear()

    async def _taken(self, language: Language) -> SandboxProcess:
        while self._idle[language] and not self.closed:
            process = self._idle[language].pop()
            if process.alive:
                return process
        if not self.closed:
            process = await self._started(language)
            if not self.closed:
                return process
            await process.end()
        raise SandboxError("The sandbox is closed")

    async def _started(self, language: Language) -> SandboxProcess:
        process = await SandboxProcess.start(language)
        self.layers = process.layers
        return process

    def _keeps(self, language: Language, process: SandboxProcess) -> bool:
        """Whether the process is as good as new, and waits for the next call."""
        idle = self._idle[language]
        if process.worn or self.closed or len(idle) >= _KEPT or not process.restore():
            return False
        idle.append(process)
        return True

    async def _settle(self, tenant: str, turns: Turns, language: Language, process: SandboxProcess) -> None:
        """Ends a process that broke, and the turn when another stands in its place: so who breaks processes leaves
        others no fewer."""
        try:
            await process.end()
        finally:
            if self.closed or len(self._idle[language]) >= _KEPT:
                turns.release(tenant)
            else:
                self._replacing.add(task := asyncio.create_task(self._replace(tenant, turns, language)))
                task.add_done_callback(self._replacing.discard)

    async def _replace(self, tenant: str, turns: Turns, language: Language) -> None:
        try:
            process = await self._started(language)
        except SandboxError as error:
            log.warning("a sandbox process could not be replaced: %s", error)
        else:
            if len(self._idle[language]) < _KEPT:
                self._idle[language].append(process)
            else:
                await process.end()
        finally:
            turns.release(tenant)
