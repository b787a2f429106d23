"""What ends a process: the first SIGINT or SIGTERM asks, the second insists."""

import asyncio
import os
import signal
import sys

INTERRUPTED = 130


def stop_event(*, tied: bool = False) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; the second ends the process at once with status 130.

    `tied`: also set when standard input ends, which is when the parent that holds its other end is gone.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            sys.exit(INTERRUPTED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    if tied:
        loop.add_reader(sys.stdin.fileno(), _at_the_end, stop)
    return stop


def _at_the_end(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()
