"""Changes when quotas are stored or read in another way; triggers of migration 0017 are what enforces them."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import asyncpg
import orjson

from db.outages import told_as_connection_error
from db.statements import Row, fetch
from domain.ids import TenantId
from domain.quotas import Quota, QuotaReached, QuotaState, next_period

if TYPE_CHECKING:
    from db.connections import EnginePool

_REACHED = "WQ001"
_STATES = """
SELECT quota, quota_maximum($1, quota) AS maximum, quota_used($1, quota, $3) AS used
FROM unnest($2::text[]) WITH ORDINALITY AS asked (quota, place) ORDER BY place
"""
_PUT = """
WITH recount AS (DELETE FROM quota_use WHERE tenant_id = $1 AND name = $2)
INSERT INTO tenant_quota (tenant_id, name, maximum, changed_at) VALUES ($1, $2, $3, clock_timestamp())
ON CONFLICT (tenant_id, name) DO UPDATE SET maximum = excluded.maximum, changed_at = excluded.changed_at
"""
_RESET = """
WITH recount AS (DELETE FROM quota_use WHERE tenant_id = $1 AND name = $2)
DELETE FROM tenant_quota WHERE tenant_id = $1 AND name = $2
"""


class Quotas:
    """Implements `domain.quotas.QuotaReader` for one tenant."""

    def __init__(self, tenant_id: TenantId) -> None:
        self._tenant_id = tenant_id

    async def states(self, now: datetime) -> Sequence[QuotaState]:
        rows = await fetch(_STATES, self._tenant_id, [each.value for each in Quota], now)
        return [_state(Quota(row["quota"]), row, now) for row in rows]


class PostgresQuotas:
    """`domain.quotas.QuotaStore`. Raises ConnectionError when PostgreSQL does not answer."""

    def __init__(self, pool: "EnginePool") -> None:
        self._pool = pool

    async def of(self, tenant_id: TenantId) -> Mapping[str, int | None]:
        with told_as_connection_error():
            rows = await self._pool.fetch("SELECT name, maximum FROM tenant_quota WHERE tenant_id = $1", tenant_id)
        return {row["name"]: row["maximum"] for row in rows}

    async def put(self, tenant_id: TenantId, name: str, maximum: int | None) -> None:
        with told_as_connection_error():
            await self._pool.execute(_PUT, tenant_id, name, maximum)

    async def reset(self, tenant_id: TenantId, name: str) -> None:
        with told_as_connection_error():
            await self._pool.execute(_RESET, tenant_id, name)


def with_default_quotas(dsn: str, defaults: Mapping[Quota, int]) -> str:
    """A DSN whose connections hold tenants without a quota of their own to these."""
    setting = quote(orjson.dumps({each.value: maximum for each, maximum in defaults.items()}).decode(), safe="")
    return f"{dsn}{'&' if urlsplit(dsn).query else '?'}weir.quotas={setting}"


@contextmanager
def quotas_told(now: datetime) -> Generator[None]:
    """Turns the triggers' exception into QuotaReached; the statement, and its transaction, did nothing."""
    try:
        yield
    except asyncpg.PostgresError as error:
        reached = _reached(error, now)
        if reached is None:
            raise
        raise reached from error


def _state(quota: Quota, row: Row, now: datetime) -> QuotaState:
    return QuotaState(quota=quota, limit=row["maximum"], used=row["used"], resets_at=next_period(quota, now))


def _reached(error: asyncpg.PostgresError, now: datetime) -> QuotaReached | None:
    detail: object = getattr(error, "detail", None)
    if getattr(error, "sqlstate", None) != _REACHED or not isinstance(detail, str):
        return None
    told = orjson.loads(detail)
    quota, used = Quota(told["quota"]), max(told["used"], 0)
    resets_at = next_period(quota, now)
    retry_after = (resets_at - now).total_seconds() if resets_at else None
    return QuotaReached(quota, limit=told["limit"], used=used, retry_after=retry_after)
