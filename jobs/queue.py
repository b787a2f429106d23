"""The doorbell: an arq job that says which executions have something to do. Losing one loses nothing.

PostgreSQL is the queue; see docs/adr. A job carries ids, does nothing itself and returns in milliseconds.
"""

import logging
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import orjson
from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError

from domain.ids import ExecutionId, TenantId

log = logging.getLogger("weir.queue")

QUEUE = "weir:doorbell"
MAIL = "weir:mail"
"""The channel on which every worker hears for which executions something was posted."""
_IDS_PER_JOB = 500


def serialize(job: dict[str, Any]) -> bytes:
    """Jobs are JSON, never pickle: what is read from Redis must not be able to run."""
    return orjson.dumps(job, default=str)


def deserialize(raw: bytes) -> dict[str, Any]:
    return orjson.loads(raw)


def redis_settings(url: str) -> RedisSettings:
    """arq's settings for a `redis://`, `rediss://` or `unix://` URL."""
    settings = RedisSettings.from_dsn(url)
    settings.conn_retries = 0
    return settings


class ArqDoorbell:
    """Implements `domain.inbox.Doorbell`; only who listens to the same queue hears it.

    A job reaches one worker, which may take what nobody holds. What a worker holds already is its own to hear of,
    so the ids are called out to all of them as well (`jobs.mail`).
    """

    def __init__(self, arq: ArqRedis, queue: str = QUEUE) -> None:
        self._arq = arq
        self._queue = queue

    async def ring(self, tenant_id: TenantId, execution_ids: Sequence[ExecutionId]) -> None:
        for start in range(0, len(execution_ids), _IDS_PER_JOB):
            ids = [str(execution) for execution in execution_ids[start : start + _IDS_PER_JOB]]
            try:
                await self._arq.enqueue_job("wake", str(tenant_id), ids, _job_id=uuid4().hex, _queue_name=self._queue)
                await cast("Any", self._arq).publish(MAIL, orjson.dumps(ids))
            except (RedisError, OSError) as error:
                log.warning("the doorbell is out of order; the sweeper will find the executions: %s", error)
                return
