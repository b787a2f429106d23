"""The API that these tests ask, who asks, and the worker that runs what they start."""

from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.engine import Engine, EngineOptions, running_engine
from app.master_keys import MasterKeys
from app.settings import Settings
from app.stack import Stack
from db.connections import EnginePool
from domain.access import Role
from domain.tenancy import Tenant
from jobs.nodes.catalog import CATALOG
from tests.api.application import MASTER_KEY, URL, Application, Caller, application, new_caller, new_tenant


@pytest.fixture(scope="session")
def redis_url(stack: Stack, worker_id: str) -> str:
    """A Redis database of this test worker's own: its doorbell is answered by nobody else."""
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
    return urlsplit(stack.redis_url)._replace(query=f"db={number % 8}").geturl()


@pytest.fixture(scope="session")
async def api(redis_url: str, engine_pool: EnginePool, app_db: None) -> AsyncGenerator[Application]:
    async with application(engine_pool, redis_url, CATALOG) as built:
        yield built


@pytest.fixture(scope="package")
async def worker(redis_url: str, database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Engine]:
    """Something that runs what is started; it must not outlive these tests, for it runs whatever is in the database."""
    data_dir: Path = tmp_path_factory.mktemp("worker")
    async with running_engine(
        database_url=database,
        redis_url=redis_url,
        master_keys=MasterKeys.of(MASTER_KEY),
        settings=Settings(data_dir=data_dir, drain_seconds=1),
        options=EngineOptions(public_url=URL),
    ) as engine:
        yield engine


@pytest.fixture(scope="session")
async def http(api: Application) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url=URL) as client:
        yield client


@pytest.fixture
async def acme(engine_pool: EnginePool) -> Tenant:
    """A fresh tenant."""
    return await new_tenant(engine_pool)


@pytest.fixture
async def developer(engine_pool: EnginePool, http: httpx.AsyncClient, acme: Tenant) -> Caller:
    return await new_caller(engine_pool, http, acme, Role.DEVELOPER)


@pytest.fixture
async def stranger(engine_pool: EnginePool, http: httpx.AsyncClient) -> Caller:
    """A developer of another tenant."""
    return await new_caller(engine_pool, http, await new_tenant(engine_pool, "Other"), Role.DEVELOPER)
