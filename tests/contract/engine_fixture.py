"""The fixtures of tests that run engines; modules name this one in `pytest_plugins`."""

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
from arq.connections import ArqRedis, create_pool

from app.stack import Stack
from db.connections import engine_pool
from db.migrate import migrate
from jobs.queue import redis_settings, serialize
from tests.contract.engine_room import EngineRoom
from tests.contract.local_server import LocalServer, local_server
from tests.databases import new_database


@pytest.fixture(scope="session")
def redis_of_engines(stack: Stack, worker_id: str) -> str:
    """A Redis database that only the engines of this test worker use."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return urlsplit(stack.redis_url)._replace(query=f"db={15 - number % 8}").geturl()


@pytest.fixture(scope="session")
async def database_of_engines(stack: Stack) -> AsyncGenerator[str]:
    async with new_database(stack.database_url) as dsn:
        await migrate(dsn)
        yield dsn


@pytest.fixture(scope="session")
async def room(
    redis_of_engines: str, database_of_engines: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[EngineRoom]:
    """Engines can be started here; none runs by itself."""
    pool = await engine_pool(database_of_engines, 8)
    arq: ArqRedis = await create_pool(redis_settings(redis_of_engines), job_serializer=serialize)
    yield EngineRoom(
        dsn=database_of_engines,
        redis_url=redis_of_engines,
        pool=pool,
        arq=arq,
        directory=tmp_path_factory.mktemp("engines"),
    )
    await arq.aclose()
    await pool.close()


@pytest.fixture
async def engine(room: EngineRoom) -> AsyncGenerator[EngineRoom]:
    """The room with an engine at work."""
    async with room.running():
        yield room


@pytest.fixture
async def server() -> AsyncGenerator[LocalServer]:
    async with local_server() as running:
        yield running
