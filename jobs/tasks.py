"""What arq runs: one task, that rings at this process's executor."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis
from arq.worker import Worker, func

from domain.ids import ExecutionId
from jobs.queue import QUEUE, deserialize, serialize

Ring = Callable[[Iterable[ExecutionId]], None]


async def wake(ctx: dict[str, Any], tenant: str, ids: Sequence[str]) -> None:
    """Offer these executions to the executor of this process; idempotent, so a repeated job does no harm."""
    ring: Ring = ctx["ring"]
    ring([ExecutionId(UUID(text)) for text in ids])


def doorbell_worker(redis: ArqRedis, ring: Ring, queue: str = QUEUE) -> Worker:
    """An arq worker that only listens for rings.

    The limits follow from how arq counts: running jobs stay in the sorted set that every worker reads from the
    front, so `queue_read_limit` must exceed what a fleet can have running at once; ours run for microseconds.
    """
    return Worker(
        functions=[func(wake, name="wake", keep_result=0, max_tries=1, timeout=10)],  # type: ignore[arg-type]
        queue_name=queue,
        redis_pool=redis,
        ctx={"ring": ring},
        max_jobs=100,
        queue_read_limit=5_000,
        poll_delay=0.01,
        keep_result=0,
        max_tries=1,
        handle_signals=False,
        health_check_interval=3600,
        job_serializer=serialize,
        job_deserializer=deserialize,
        log_results=False,
    )
