"""A renderer as its callers see it: bounded work handed to processes, tenants in turn, the event loop never blocked.

The processes are talked to from threads, each of which keeps one: so a renderer belongs to no event loop, starts its
first process with its first call, and ends with this process, whichever way that ends.
"""

import asyncio
import contextlib
import select
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from jobs.rendering.forking import CRASHED, DONE, HEAD, OVERRAN, REFUSED, REQUEST, TOO_LARGE
from jobs.sandbox.turns import Turns

_ROOT: Final = str(Path(__file__).parents[2])
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from jobs.rendering.forking import main; main(sys.argv[1])"
)
_START_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 2.0


class Refusal(Exception):
    """The work cannot be done as asked; the message comes from the job and may be JSON."""


class RenderingFailed(Exception):
    """The work came to no end of its own: too long, too much, or its process broke down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one piece of work may take: wall-clock and processor seconds, bytes of memory, bytes of its answer."""

    seconds: float
    memory: int
    answer: int


class Renderer:
    """`job` names a module of the shape of `jobs.rendering.forking.Job`; at most `size` pieces of work run at once."""

    def __init__(self, job: str, bounds: Bounds, *, size: int = 2) -> None:
        self._job = job
        self._bounds = bounds
        self._turns = Turns(size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"weir-{job.rpartition('.')[2]}")
        self._kept = threading.local()

    async def render(self, request: bytes, *, tenant: str) -> bytes:
        """The job's answer. Raises Refusal or RenderingFailed.

        A call that is cancelled leaves its work to end by itself, at its deadline at the latest.
        """
        async with self._turns.turn(tenant):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._render, request)

    def _render(self, request: bytes) -> bytes:
        process: _Process | None = getattr(self._kept, "process", None)
        if process is None or not process.alive:
            process = self._kept.process = _Process.start(self._job)
        status, answer = process.ask(request, self._bounds)
        if status == DONE:
            return answer
        if status == REFUSED:
            raise Refusal(answer.decode("utf-8", "replace"))
        raise RenderingFailed(self._why(status))

    def _why(self, status: bytes) -> str:
        if status == OVERRAN:
            return f"it was stopped after {self._bounds.seconds:g} s"
        if status == TOO_LARGE:
            memory, answer = self._bounds.memory >> 20, self._bounds.answer >> 20
            return f"it needs more than {memory} MiB of memory, or gives more than {answer} MiB"
        return "the process that rendered it ended unexpectedly"


class _Process:
    """A process of `jobs.rendering.forking`, used by one thread."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen

    @classmethod
    def start(cls, job: str) -> Self:
        started = cls(
            subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, _ROOT, job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                cwd="/",
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the parent
            )
        )
        status, _ = started._receive(time.monotonic() + _START_SECONDS, 0)
        if status != DONE:
            raise RenderingFailed("the process that renders does not start")
        return started

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, request: bytes, bounds: Bounds) -> tuple[bytes, bytes]:
        try:
            self._send(REQUEST.pack(bounds.seconds, bounds.memory, bounds.answer, len(request)) + request)
        except OSError:
            self.end()
            return CRASHED, b""
        return self._receive(time.monotonic() + bounds.seconds + _GRACE_SECONDS, bounds.answer)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._popen.stdin is not None:
            view = view[self._popen.stdin.write(view) :]

    def _receive(self, deadline: float, most: int) -> tuple[bytes, bytes]:
        """A frame; a process that does not keep to it is ended."""
        try:
            status, size = HEAD.unpack(self._read(HEAD.size, deadline))
            if size > most:
                raise EOFError
            return status, self._read(size, deadline)
        except TimeoutError:
            self.end()
            return OVERRAN, b""
        except (EOFError, OSError):
            self.end()
            return CRASHED, b""

    def _read(self, size: int, deadline: float) -> bytes:
        stdout = self._popen.stdout
        if stdout is None:
            raise EOFError
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        chunks: list[bytes] = []
        while size:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            chunk = stdout.read(min(size, 1_048_576))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
