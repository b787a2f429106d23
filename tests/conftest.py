"""The servers, databases and tenants that tests share: changes when tests need another kind of ground to stand on."""

import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.stack import Stack, open_stack
from db import connections
from db.connections import EnginePool
from db.migrate import migrate
from domain.ids import TenantId
from tests.databases import make_tenant, new_database


@pytest.fixture(scope="session")
def stack(testrun_uid: str) -> Generator[Stack]:
    """A real PostgreSQL and a real Redis, without fsync, shared by all test workers; the last to leave removes them."""
    # Not pytest's own directory: where root runs the tests it bars the account that the servers run as.
    data_dir = Path(tempfile.gettempdir()) / f"weir-tests-{os.geteuid()}-{testrun_uid[:12]}"
    with open_stack(Settings(data_dir=data_dir), report=print, durable=False, passing=True) as servers:
        yield servers


@pytest.fixture(scope="session")
async def database(stack: Stack) -> AsyncGenerator[str]:
    """The DSN of a migrated database of this test worker's own; the login is neither superuser nor makes roles."""
    async with new_database(stack.database_url) as dsn:
        await migrate(dsn)
        yield dsn


@pytest.fixture(scope="session")
async def engine_pool(database: str) -> AsyncGenerator[EnginePool]:
    """Connections as the engine role: every tenant is visible."""
    pool = await connections.engine_pool(database, 8)
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
async def app_db(database: str) -> AsyncGenerator[None]:
    """Models and repositories work, as the application role; inside `tenant_scope` only."""
    async with connections.app_database(database, size=8):
        yield


@pytest.fixture
async def tenant(engine_pool: EnginePool) -> TenantId:
    """A fresh tenant, stored."""
    return await make_tenant(engine_pool)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything that the tests ask for is installed (`SKIPPED_TESTS=fail`), a skipped test is a failed run."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SKIPPED_TESTS") == "fail" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
