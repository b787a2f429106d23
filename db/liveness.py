"""Changes when a worker proves in another way that it is alive.

A worker is alive as long as its row was renewed lately by the database's clock. The renewal runs in a thread of its
own, so that a busy event loop does not look like a dead worker, and stops when that loop has not turned for some
seconds, so that a stuck worker does.
"""

import asyncio
import logging
import os
import socket
import threading
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

import asyncpg

from db.connections import ENGINE_ROLE
from db.outages import OUTAGE, told_as_connection_error
from domain.ids import WorkerId

if TYPE_CHECKING:
    from db.connections import Connection, EnginePool

log = logging.getLogger("weir.liveness")

_REGISTER = """
INSERT INTO worker (id, started_at, seen_at, host, pid) VALUES ($1, $2, clock_timestamp(), $3, $4)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""
_RENEW = """
INSERT INTO worker (id, started_at, seen_at, host, pid) VALUES ($1, clock_timestamp(), clock_timestamp(), $2, $3)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""
_RETIRE = """
WITH freed AS (UPDATE execution SET owner = NULL, wants_owner = true WHERE owner = $1)
DELETE FROM worker WHERE id = $1
"""


class PostgresLiveness:
    """`domain.engine.ports.Liveness`. Raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def register(self, worker: WorkerId, started_at: datetime, *, host: str, pid: int) -> None:
        """Before the first claim: what an unknown worker owns is an orphan."""
        with told_as_connection_error():
            await self._pool.execute(_REGISTER, worker, started_at, host, pid)

    async def retire(self, worker: WorkerId) -> None:
        """After its heartbeat has stopped, which would bring the row back."""
        with told_as_connection_error():
            await self._pool.execute(_RETIRE, worker)


class Heartbeat:
    """Renews a registered worker's row `every` second while the event loop that called `start` turns.

    The loop counts as stuck when it has not turned for `stuck_after` seconds. `healthy` ends `trusted_for` seconds
    after the last renewal was sent, which must be less than what makes an orphan: then nothing begins here that
    somebody else may already be doing.
    """

    def __init__(
        self,
        dsn: str,
        worker: WorkerId,
        *,
        every: float = 1.0,
        stuck_after: float = 3.0,
        trusted_for: float = 4.0,
    ) -> None:
        self._dsn = dsn
        self._row = (worker, socket.gethostname(), os.getpid())
        self._every = every
        self._stuck_after = stuck_after
        self._trusted_for = trusted_for
        self._turned = self._renewed = float("-inf")
        self._lapses = 0
        self._connection: Connection | None = None
        self._away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether nobody can have taken this worker for dead."""
        return monotonic() - self._renewed < self._trusted_for

    @property
    def lapses(self) -> int:
        """How often somebody can have done so until it was renewed; counted before it is healthy again."""
        return self._lapses

    def start(self) -> None:
        """Call it in the event loop, right after registering, which counts as the first renewal."""
        self._renewed = monotonic()
        self._turn()
        self._thread.start()

    def stop(self) -> None:
        """No renewal comes after it. From any thread; blocks for a moment, for seconds if PostgreSQL is away."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _turn(self) -> None:
        self._turned = monotonic()
        if not self._stopping.is_set():
            asyncio.get_running_loop().call_later(self._every / 2, self._turn)

    # In the thread

    def _beat(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stopping.wait(self._every):
                if monotonic() - self._turned < self._stuck_after:
                    runner.run(self._renew())
            runner.run(self._disconnect())

    async def _renew(self) -> None:
        sent = monotonic()
        try:
            async with asyncio.timeout(self._trusted_for / 2):
                if self._connection is None:
                    self._connection = await asyncpg.connect(self._dsn, server_settings={"role": ENGINE_ROLE})
                await self._connection.execute(_RENEW, *self._row)
        except (asyncpg.PostgresError, *OUTAGE) as error:
            if not self._away:
                log.warning("the worker cannot say that it is alive, trying on: %s", str(error) or type(error).__name__)
            self._away = True
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
        else:
            if monotonic() - self._renewed >= self._trusted_for:
                self._lapses += 1
            self._renewed = sent
            self._away = False

    async def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(*OUTAGE):
                await self._connection.close(timeout=1)
