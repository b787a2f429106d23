"""Changes when counts of failed attempts are stored in another way.

They stand in PostgreSQL, without which nobody signs in: there is no server whose absence would let anybody guess.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from db.connections import EnginePool
from domain.throttling import FORGOTTEN_AFTER, Failures, Subject, failed

# All who try lock in the order of the digests, so that no two wait for each other.
_LOCK = """
INSERT INTO failed_attempt (subject, count, failed_at, free_at)
SELECT subject, 0, $2, $2 FROM unnest($1::text[]) AS subject ORDER BY subject
ON CONFLICT (subject) DO UPDATE SET subject = excluded.subject
RETURNING *
"""
_COUNT = "UPDATE failed_attempt SET count = $2, failed_at = $3, free_at = $4 WHERE subject = $1"
_FORGET = "UPDATE failed_attempt SET count = 0, free_at = failed_at WHERE subject = $1"
_GIVE_BACK = "UPDATE failed_attempt SET count = greatest(count - 1, 0), free_at = failed_at WHERE subject = $1"
_SWEEP = """
DELETE FROM failed_attempt WHERE subject IN (
    SELECT subject FROM failed_attempt WHERE failed_at < $1 ORDER BY failed_at LIMIT 10 FOR UPDATE SKIP LOCKED)
"""


class PostgresThrottle:
    """Implements `domain.throttling.Throttle`."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    async def begin(self, subjects: Sequence[Subject], at: datetime) -> timedelta | None:
        digests = {subject.digest: subject for subject in subjects}
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_LOCK, list(digests), at)
            wait = max((row["free_at"] - at for row in rows), default=timedelta())
            if wait > timedelta():
                return wait
            counted = [failed(digests[row["subject"]], _failures(row), at) for row in rows]
            await connection.executemany(
                _COUNT,
                [
                    (row["subject"], each.count, each.failed_at, each.free_at)
                    for row, each in zip(rows, counted, strict=True)
                ],
            )
        # What is forgotten is removed by those who come, each a little; the two just counted are too young.
        await self._pool.execute(_SWEEP, at - FORGOTTEN_AFTER)
        return None

    async def forget(self, subject: Subject) -> None:
        await self._pool.execute(_FORGET, subject.digest)

    async def give_back(self, subject: Subject) -> None:
        await self._pool.execute(_GIVE_BACK, subject.digest)


def _failures(row: asyncpg.Record) -> Failures:
    return Failures(count=row["count"], failed_at=row["failed_at"], free_at=row["free_at"])
