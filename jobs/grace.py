"""How a running step is told to stop, and what becomes of one that does not listen."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from jobs.runs import Run

log = logging.getLogger("weir.grace")


class Grace:
    """A step that is no longer wanted is cancelled where it awaits, and has `seconds` to put things in order.

    One that still runs then is given up: the execution goes on, or ends, without it, and whatever it comes to is
    dropped. It keeps its slot until it ends by itself, for it is still there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def stop(self, run: Run, path: str, given_up: Callable[[Run], None]) -> None:
        """The step at `path` is not wanted any more; `given_up` hears when it runs and was told in vain."""
        run.disarm(path)
        run.queued.discard(path)
        task = run.tasks.get(path)
        if task is None or task is asyncio.current_task():  # nobody cancels itself
            return
        task.cancel()
        timer = asyncio.get_running_loop().call_later(self._seconds, self._give_up, run, path, task, given_up)
        task.add_done_callback(partial(_disarm, timer))

    def _give_up(self, run: Run, path: str, task: asyncio.Task[None], given_up: Callable[[Run], None]) -> None:
        if run.tasks.get(path) is not task:
            return
        log.warning("step %s of %s did not stop within %s s and is given up", path, run.execution_id, self._seconds)
        del run.tasks[path]
        given_up(run)


def _disarm(timer: asyncio.TimerHandle, _task: asyncio.Task[None]) -> None:
    timer.cancel()
