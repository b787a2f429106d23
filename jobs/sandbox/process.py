"""One sandbox process, seen from outside: started, asked, slowed down, ended."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import struct
import sys
import sysconfig
from pathlib import Path
from typing import Final, Self

import orjson

from jobs.sandbox.messages import greeting
from jobs.sandbox.meter import descendants
from jobs.sandbox.outcomes import MOST_MEMORY, Language, ProcessCrashed, ProcessOverran, SandboxError

START_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 0.5
"""How long after a call's own limit the process is killed."""
_HEADROOM: Final = 64 * 1_048_576
"""Address space for the interpreter around the user's code: frames in and out, and fragmentation."""
_NICE, _NICEST = 5, 19
_JAVASCRIPT: Final = """
import sys
sys.path += sys.argv[1:3]
import inside.javascript
sys.path.clear()
inside.javascript.main()
"""
_PYTHON: Final = """
import sys
sys.path += sys.argv[1:3]
import inside.python
inside.python.main(sys.argv[3])
"""


class SandboxProcess:
    """Made by `start`. After ProcessCrashed, ProcessOverran or a cancelled call it can only be ended."""

    def __init__(self, process: asyncio.subprocess.Process, layers: tuple[str, ...]) -> None:
        self._process = process
        self._ending = False
        self._slowed = False
        self.layers = layers
        self.worn = False
        """Whether it should not be used again."""

    @classmethod
    async def start(cls, language: Language) -> Self:
        """Starts a process and waits until it is hardened. Raises SandboxError when it does not come up."""
        memory = MOST_MEMORY + _HEADROOM
        greeted = await asyncio.to_thread(greeting, language, parent=os.getpid(), memory=memory)  # slow the first time
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", *_program(language)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
            cwd="/",
        )
        started = cls(process, ())
        try:
            hello = await started.ask(greeted, seconds=START_SECONDS, most=4096)
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

    def slow_down(self) -> None:
        """From now on it gets what others leave: its call lasts long, theirs may not."""
        self._slowed = self._renice(_NICEST)

    def restore(self) -> bool:
        """Its usual priority again; False where only a privileged user may raise one."""
        if self._slowed:
            self._slowed = not self._renice(_NICE)
        return not self._slowed

    def _renice(self, nice: int) -> bool:
        try:
            os.setpriority(os.PRIO_PGRP, self.pid, nice)
        except OSError:
            return False
        return True

    async def end(self) -> None:
        """Kills the process and those below it, and waits until it is gone."""
        below = descendants(self.pid) if self.alive else ()
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if self._ending or below:  # it ends by itself: one killed then would lose its exit status, or its children's
            if self._process.stdin:
                self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_SECONDS):
                    await self._process.wait()
        if self.alive:
            self._process.kill()
        await self._process.wait()


def _program(language: Language) -> tuple[str, ...]:
    """The source of the process's start, and its arguments."""
    ours = str(Path(__file__).parent)
    match language:
        case Language.JAVASCRIPT:
            return (_JAVASCRIPT, ours, _folder("_quickjs", "quickjs"))
        case Language.PYTHON:
            installed = Path(sysconfig.get_path("scripts")) / "monty"
            monty = str(installed) if installed.exists() else shutil.which("monty")
            if monty is None:
                raise SandboxError("The package pydantic-monty is not installed")
            return (_PYTHON, ours, str(Path(_folder("pydantic_monty", "pydantic-monty")).parent), monty)


def _folder(module: str, package: str) -> str:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise SandboxError(f"The package {package} is not installed")
    return str(Path(found.origin).parent)
