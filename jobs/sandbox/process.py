"""One sandbox process, seen from outside: started, asked, ended."""

import asyncio
import contextlib
import importlib.util
import os
import struct
import sys
from pathlib import Path
from typing import Final, Self

import orjson

from jobs.sandbox.outcomes import MOST_MEMORY, SandboxError

START_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 0.5
"""How long after a call's own limit the process is killed."""
_HEADROOM: Final = 64 * 1_048_576
"""Address space for the interpreter around the user's code: frames in and out, and fragmentation."""
_BOOT: Final = """
import sys
sys.path[:] = [*sys.argv[1:3], *sys.path]
import child, hardening
sys.path.clear()
child.main(hardening.harden, hardening.limit_processor)
"""


class ProcessCrashed(Exception):
    """The process ended, or answered what it never should, instead of answering a call."""


class ProcessOverran(Exception):
    """The process was still busy when the call's hard deadline came."""


class SandboxProcess:
    """Made by `start`. After ProcessCrashed, ProcessOverran or a cancelled call it can only be ended."""

    def __init__(self, process: asyncio.subprocess.Process, layers: tuple[str, ...]) -> None:
        self._process = process
        self._ending = False
        self.layers = layers

    @classmethod
    async def start(cls) -> Self:
        """Starts a process and waits until it is hardened. Raises SandboxError when it does not come up."""
        quickjs = importlib.util.find_spec("_quickjs")
        if quickjs is None or quickjs.origin is None:
            raise SandboxError("The package quickjs is not installed")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _BOOT),
            *(str(Path(__file__).parent), str(Path(quickjs.origin).parent)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the parent
        )
        started = cls(process, ())
        try:
            hello = await started.ask(
                orjson.dumps({"parent": os.getpid(), "memory": MOST_MEMORY + _HEADROOM}),
                seconds=START_SECONDS,
                most=4096,
            )
            started.layers = tuple(orjson.loads(hello))
        except (ProcessCrashed, ProcessOverran) as error:
            await started.end()
            raise SandboxError(f"The sandbox process does not start (exit status {process.returncode})") from error
        except BaseException:
            await started.end()
            raise
        return started

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, request: bytes, *, seconds: float, most: int) -> bytes:
        """Sends a frame and gives the body of the answering one, of at most `most` bytes.

        Raises ProcessCrashed, or ProcessOverran when no answer has come after `seconds` of time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ProcessCrashed("it has no pipes")
        try:
            async with asyncio.timeout(seconds):
                stdin.write(struct.pack(">I", len(request)) + request)
                await stdin.drain()
                (size,) = struct.unpack(">I", await stdout.readexactly(4))
                if size > most:
                    raise ProcessCrashed(f"it answers with {size:,} bytes")
                return await stdout.readexactly(size)
        except TimeoutError as error:
            raise ProcessOverran from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._ending = True
            raise ProcessCrashed("it ended") from error

    async def end(self) -> None:
        """Kills the process and waits until it is gone."""
        if self._ending:  # asyncio loses the exit status of a process that is killed while it ends by itself
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
        if self.alive:
            self._process.kill()
        await self._process.wait()
