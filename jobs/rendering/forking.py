"""The process behind a renderer: imports its job once, then does each piece of work in a fork of itself.

A fork has nothing but its request and an answer to give: it is hardened like the sandbox's process (no network, no
files, no other process, a limit on memory and processor time), killed at its deadline, and gone afterwards, so that no
work sees another's traces. Frames are a status byte, a length in four bytes, big-endian, and a body.
"""

import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol, cast

from jobs.sandbox.inside.hardening import NICE, harden, limit_processor

DONE: Final = b"D"
REFUSED: Final = b"R"
OVERRAN: Final = b"T"
CRASHED: Final = b"C"
TOO_LARGE: Final = b"L"
REQUEST: Final = struct.Struct(">dIII")
"""Seconds, bytes of memory, most bytes of the answer, bytes of the request that follow."""
HEAD: Final = struct.Struct(">cI")


class Refused(Exception):
    """The work cannot be done as it was asked for; the message is for the user and may be JSON."""


class Job(Protocol):
    """What a job's module offers."""

    def prepare(self) -> None:
        """Called once, with everything still allowed: import and read whatever the work will need."""
        ...

    def work(self, request: bytes) -> bytes:
        """Raises Refused."""
        ...


def main(module: str) -> None:
    """Serves requests from standard input on standard output until it ends."""
    os.nice(NICE)
    job = cast("Job", import_module(module))
    job.prepare()
    _write(1, HEAD.pack(DONE, 0))
    while head := _read(0, REQUEST.size):
        seconds, memory, most, size = REQUEST.unpack(head)
        request = _read(0, size)
        status, answer = _forked(lambda: job.work(request), seconds, memory, most)  # noqa: B023 - called at once
        _write(1, HEAD.pack(status, len(answer)))
        _write(1, answer)


def _forked(work: Callable[[], bytes], seconds: float, memory: int, most: int) -> tuple[bytes, bytes]:
    parent = os.getpid()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _do(work, parent, theirs, seconds, memory)
    os.close(theirs)
    try:
        return _answer(ours, most, time.monotonic() + seconds)
    finally:
        os.close(ours)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _do(work: Callable[[], bytes], parent: int, pipe: int, seconds: float, memory: int) -> None:
    """In the fork; never returns."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for at, source in ((0, nothing), (1, pipe), (2, nothing)):
            os.dup2(source, at)
        os.closerange(3, 1024)
        harden(parent, memory)
        limit_processor(seconds)
        try:
            _write(1, DONE + work())
        except Refused as error:
            _write(1, REFUSED + str(error).encode("utf-8", "replace"))
        except MemoryError:
            _write(1, TOO_LARGE)
    finally:
        os._exit(0)


def _answer(pipe: int, most: int, deadline: float) -> tuple[bytes, bytes]:
    chunks: list[bytes] = []
    size = 0
    while (left := deadline - time.monotonic()) > 0:
        ready = select.select([pipe, 0], [], [], left)[0]
        if 0 in ready:
            raise SystemExit  # nobody asks while we work: whoever asked is gone
        if not ready:
            break
        chunk = os.read(pipe, 1_048_576)
        if not chunk:
            whole = b"".join(chunks)
            return (whole[:1], whole[1:]) if whole else (CRASHED, b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > most + 1:
            return TOO_LARGE, b""
    return OVERRAN, b""


def _read(source: int, size: int) -> bytes:
    chunks: list[bytes] = []
    while size:
        chunk = os.read(source, min(size, 1_048_576))
        if not chunk:
            return b""
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


if __name__ == "__main__":
    main(sys.argv[1])
