"""The demo server of a workflow file (`demo: shop.py`): found, started, waited for and stopped.

Only a local run starts one, and only a script beside the document. It is given the free port it takes by itself,
a clean environment, and a process group of its own, so that nothing of it stays behind.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from domain.errors import Invalid

_READY = re.compile(rb"^ready (http://[^\s/]+)/?\s*$")
_GRACE = 2.0
"""Seconds between the request to end and the kill."""
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
"""All a demo gets: Weir's own settings hold keys and addresses that are none of its business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that serves: `url` becomes `vars.demo`, `host` and `port` are what outgoing requests may reach."""

    url: str
    host: str
    port: int


@asynccontextmanager
async def demo_server(
    document: Path,
    script: str,
    *,
    log: Path,
    say: Callable[[str], None],
    ready_within: float = 10.0,
) -> AsyncGenerator[Demo, None]:
    """Serve the demo that `document` names while the block runs.

    `log` receives what the demo writes; `say` is called with a line when it starts and when it has stopped.
    Raises Invalid when the script is not a Python file below the document's folder, or does not print
    `ready http://…` within `ready_within` seconds.
    """
    file = locate(document, script)
    with log.open("ab") as output:
        process = await _start(file, output.fileno())
        try:
            url = await _wait_for_url(process, script, log, ready_within)
            address = urlsplit(url)
            say(f"demo {script} serves {url} (its log: {log})")
            copying = asyncio.create_task(_copy(_output(process), output.fileno()))
            try:
                yield Demo(url=url, host=address.hostname or "", port=address.port or 80)
            finally:
                copying.cancel()
        finally:
            await _stop(process)
            say(f"demo {script} stopped")


def locate(document: Path, script: str) -> Path:
    """The demo's file; raises Invalid unless it is a Python file in the document's folder or below."""
    folder = document.resolve().parent
    file = (folder / script).resolve()
    if not file.is_relative_to(folder) or file.suffix != ".py" or not file.is_file():
        raise Invalid(
            f"The demo {script!r} is not a Python file in the folder of {document.name}",
            path=("demo",),
            remedy=f"Name a .py file below {folder}, or remove `demo` from the document.",
        )
    return file


async def _start(file: Path, stderr: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-B",  # no bytecode beside a user's document
        str(file),
        "--port",
        "0",
        cwd=file.parent,
        env=_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )


async def _wait_for_url(process: asyncio.subprocess.Process, script: str, log: Path, ready_within: float) -> str:
    with suppress(TimeoutError):
        async with asyncio.timeout(ready_within):
            async for line in _output(process):
                if ready := _READY.match(line):
                    return ready.group(1).decode()
            await process.wait()
    code = process.returncode
    ended = f"did not within {ready_within:g} s" if code is None else f"ended with status {code} and did not"
    raise Invalid(
        f"The demo {script!r} {ended} print `ready http://…`{_last_words(log)}",
        path=("demo",),
        remedy=f"Start it by hand to see why: python {script} --port 0",
    )


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise RuntimeError("a demo is started with its output piped")
    return process.stdout


async def _copy(source: asyncio.StreamReader, output: int) -> None:
    """A pipe nobody empties would stop the demo once it is full."""
    while chunk := await source.read(65536):
        os.write(output, chunk)


async def _stop(process: asyncio.subprocess.Process) -> None:
    # The group is addressed even when its leader has ended: what the demo itself started must go too.
    _signal_group(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            await process.wait()
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
