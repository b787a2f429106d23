"""A journal under test, and what it said was durable."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from db.connections import EnginePool
from db.journal import PostgresJournal
from domain.engine.ports import Append
from domain.ids import ExecutionId


class Announced:
    """(execution, first seq) of what a journal said was durable, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[ExecutionId, int]]] = []

    def __call__(self, appends: Sequence[Append]) -> None:
        self.batches.append([(each.execution_id, each.events[0].seq) for each in appends])


@asynccontextmanager
async def journal_on(
    pool: EnginePool, announced: Announced | None = None, *, max_batch: int = 1_000
) -> AsyncGenerator[PostgresJournal]:
    journal = PostgresJournal(pool, on_committed=announced or Announced(), max_batch=max_batch)
    journal.start()
    yield journal
    await journal.close()
