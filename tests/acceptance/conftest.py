"""Ground for the trials: servers with fsync in a data directory of their own, a published workflow, a receiver."""

import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest
import uuid_utils.compat as uuid
from arq.connections import ArqRedis, create_pool

from app.clock import utc_now
from app.settings import Settings
from app.stack import Stack, open_stack
from db.connections import Connection, EnginePool, engine_pool
from db.json_text import dump
from db.migrate import migrate
from domain.formats.stored import definition_to_json
from domain.ids import TenantId, VersionId, WorkflowId
from domain.versions import Version, content_hash
from jobs.queue import ArqDoorbell, redis_settings, serialize
from tests.acceptance.cluster import Workers
from tests.acceptance.receiver import Receiver, receiving
from tests.acceptance.trial import Ground, definition
from tests.contract.conftest import npm_clients
from tests.databases import make_tenant

__all__ = ["npm_clients"]


@pytest.fixture(scope="session")
def servers() -> Generator[Stack]:
    """PostgreSQL with fsync and Redis, which other tests do not stand on: these may be killed."""
    # Not pytest's own directory: where root runs the tests it bars the account that the servers run as.
    data_dir = Path(tempfile.gettempdir()) / f"weir-acceptance-{os.getpid()}"
    with open_stack(Settings(data_dir=data_dir), report=print, durable=True, passing=True) as stack:
        yield stack


@pytest.fixture(scope="session")
async def pool(servers: Stack) -> AsyncGenerator[EnginePool]:
    await migrate(servers.database_url)
    pool = await engine_pool(servers.database_url)
    assert await pool.fetchval("SHOW fsync") == "on"
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
async def ground(servers: Stack, pool: EnginePool, receiver: Receiver) -> AsyncGenerator[Ground]:
    tenant_id = await make_tenant(pool)
    graph = definition(receiver.address)
    version = Version(
        id=VersionId(uuid.uuid7()),
        workflow_id=WorkflowId(uuid.uuid7()),
        number=1,
        content_hash=content_hash(graph),
        definition=graph,
        created_at=utc_now(),
    )
    await _publish(servers.database_url, tenant_id, version)
    arq: ArqRedis = await create_pool(redis_settings(servers.redis_url), job_serializer=serialize)
    yield Ground(pool=pool, tenant_id=tenant_id, version=version, doorbell=ArqDoorbell(arq))
    await arq.aclose()


@pytest.fixture
async def workers(servers: Stack, pool: EnginePool, receiver: Receiver, tmp_path: Path) -> AsyncGenerator[Workers]:
    receiver.delay = 0.03
    workers = Workers(stack=servers, pool=pool, directory=tmp_path, allow=receiver.address)
    yield workers
    await workers.end(print)


async def _publish(dsn: str, tenant_id: TenantId, version: Version) -> None:
    """As the repositories do it, which are bound to the one database of a process."""
    content = dump(definition_to_json(version.definition))
    connection: Connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO workflow (id, tenant_id, name, status, draft, created_at, updated_at)"
            " VALUES ($1, $2, 'trial', 'ACTIVE', $3, $4, $4)",
            version.workflow_id,
            tenant_id,
            content,
            version.created_at,
        )
        await connection.execute(
            "INSERT INTO workflow_version (id, tenant_id, workflow_id, number, content_hash, definition, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            version.id,
            tenant_id,
            version.workflow_id,
            version.number,
            version.content_hash,
            content,
            version.created_at,
        )
        await connection.execute(
            "UPDATE workflow SET active_version_id = $2 WHERE id = $1", version.workflow_id, version.id
        )
    await connection.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests have measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {name} {value}")
