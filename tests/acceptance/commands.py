"""Weir's commands as processes of their own, watched and signalled: changes when tests start them in another way."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import PROJECT
from tests.acceptance.cluster import until

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int
    stdout: str
    stderr: str

    @property
    def result(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A process, and the folder of the two files that what it says goes to."""

    process: Process
    folder: Path

    @property
    def stdout(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "err").read_text()

    async def ended(self, within: float = 40) -> Ended:
        async with asyncio.timeout(within):
            status = await self.process.wait()
        return Ended(status=status, stdout=self.stdout, stderr=self.stderr)

    async def says(self, text: str, within: float = 30) -> None:
        """Returns once it has said the text, on either stream."""

        async def said() -> bool:
            so_far = self.stdout + self.stderr
            assert self.process.returncode is None or text in so_far, so_far
            return text in so_far

        await until(f"it says {text!r}", within, said)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """As a terminal does it: everything in the foreground gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)


@asynccontextmanager
async def started(*arguments: str | Path, **environment: str) -> AsyncGenerator[Command]:
    """`weir ARGUMENTS` in a session of its own; killed when it still lives at the end, then what it said is shown."""
    with tempfile.TemporaryDirectory(prefix="weir-command-") as folder:
        command = await _start(arguments, Path(folder), _environment(environment))
        try:
            yield command
        finally:
            if command.process.returncode is None:
                os.killpg(command.process.pid, signal.SIGKILL)
                await command.process.wait()
            sys.stderr.write(f"--- weir {' '.join(map(str, arguments))}\n{command.stderr}\n")


async def weir(*arguments: str | Path, within: float = 40, **environment: str) -> Ended:
    """`weir ARGUMENTS`, run to its end."""
    async with started(*arguments, **environment) as command:
        return await command.ended(within)


@contextmanager
def new_data_directory() -> Generator[Path]:
    """The path of one that is not there yet; removed at the end.

    Not in pytest's own directory: where root runs the tests it bars the account that the servers run as.
    """
    path = Path(tempfile.gettempdir()) / f"weir-data-{secrets.token_hex(6)}"
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def processes_that_name(path: Path) -> dict[int, str]:
    """The command lines of all living processes that have the path in theirs, by pid, the oldest first."""
    found: dict[int, str] = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(path) in line:
                found[int(file.parent.name)] = line
    return dict(sorted(found.items()))


async def _start(arguments: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> Command:
    out, err = os.open(folder / "out", _NEW), os.open(folder / "err", _NEW)
    process = await create_subprocess_exec(
        *(sys.executable, "-P", "-m", "app.cli", *map(str, arguments)),
        cwd=PROJECT,
        env=environment,
        stdin=DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    os.close(out)
    os.close(err)
    return Command(process=process, folder=folder)


def _environment(given: Mapping[str, str]) -> Mapping[str, str]:
    """This one, without settings of Weir but those given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    return {**own, "PYTHONPATH": str(PROJECT), **given}
