"""A script's run, seen from its parent: the call, the requests it asks for meanwhile, and its answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.sandbox.messages import MOST_REQUESTS, finished, replying, requested
from jobs.sandbox.outcomes import Evaluated, Fetch, FetchFailed, FetchReply, FetchRequest, Line, ProcessCrashed, Script
from jobs.sandbox.process import GRACE_SECONDS, SandboxProcess

_MOST_LINE_BYTES = 2_097_152


@dataclass(slots=True, kw_only=True)
class Conversation:
    """With one process about one script; requests run side by side, and none outlives it."""

    process: SandboxProcess
    script: Script
    fetch: Fetch | None
    _running: dict[asyncio.Task[FetchReply | str], int] = field(
        default_factory=dict[asyncio.Task[FetchReply | str], int]
    )
    _asked: int = 0
    _end: float = 0.0

    async def hold(self, request: bytes) -> tuple[Evaluated, tuple[Line, ...]]:
        """Raises ProcessCrashed and ProcessOverran."""
        self._end = asyncio.get_running_loop().time() + self.script.limits.seconds
        try:
            reply = await self._ask(request)
            while (requests := requested(reply)) is not None:
                self._begin(requests)
                reply = await self._ask(replying(await self._settled()))
            return finished(reply, self.script.lines)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _ask(self, frame: bytes) -> bytes:
        most = 4096 + 2 * self.script.limits.output + _MOST_LINE_BYTES + self.script.limits.memory
        return await self.process.ask(frame, seconds=self._left() + GRACE_SECONDS, most=most)

    def _left(self) -> float:
        return max(0.0, self._end - asyncio.get_running_loop().time())

    def _begin(self, requests: Sequence[FetchRequest]) -> None:
        self._asked += len(requests)
        if self._asked > MOST_REQUESTS:
            raise ProcessCrashed("it makes more requests than it may")
        for request in requests:
            self._running[asyncio.create_task(self._fetched(request))] = request.number
        if not self._running:
            raise ProcessCrashed("it waits for nothing")

    async def _fetched(self, request: FetchRequest) -> FetchReply | str:
        if self.fetch is None:
            return "There is no network here"
        try:
            return await self.fetch(request)
        except FetchFailed as failed:
            return str(failed)

    async def _settled(self) -> dict[int, FetchReply | str] | None:
        """The answers that are there, at least one; None when the time is over."""
        done, _ = await asyncio.wait(self._running, timeout=self._left(), return_when=asyncio.FIRST_COMPLETED)
        return {self._running.pop(task): task.result() for task in done} or None
