"""Engines in this process, and what tests say to them and hear from them: changes when a test needs another grip.

Their database and Redis database are their own, so that nobody else claims what is started there.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uuid_utils.compat as uuid
from arq.connections import ArqRedis

from app.clock import utc_now
from app.engine import Engine, EngineOptions, running_engine
from app.master_keys import MasterKeys
from app.settings import Settings
from db.connections import EnginePool
from db.inbox import PostgresInbox
from db.starts import PostgresStarts
from db.sweeps import PostgresSweeping
from domain.engine.events import TERMINAL, Event, EventKind
from domain.engine.ports import Append, ExecutionStatus, InboxKind, Swept
from domain.executions_prepare import Origin, StartRequest, prepare
from domain.formats.stored import definition_to_json
from domain.graphs import Definition
from domain.ids import ExecutionId, TenantId, VersionId, WorkflowId
from domain.inbox import Posted
from domain.json import JSON, JSONObject
from domain.starts import NewExecution
from domain.trials import Trial
from domain.versions import Version, content_hash
from jobs.queue import ArqDoorbell
from jobs.sweeper import Sweeper
from tests.contract.ledger import until
from tests.databases import make_tenant

MASTER_KEY = b"0123456789abcdef0123456789abcdef"
URL = "http://weir.test"
PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A version that executions can be started of."""

    tenant_id: TenantId
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the execution's row says that it ended; `code` is its error's."""

    status: str
    output: JSON = None
    code: str | None = None
    message: str | None = None


class EngineRoom:
    """Publishes, starts, posts and listens. Inside `running` there is an engine; several may run at once."""

    def __init__(self, *, dsn: str, redis_url: str, pool: EnginePool, arq: ArqRedis, directory: Path) -> None:
        self.dsn = dsn
        self.redis_url = redis_url
        self.pool = pool
        self.arq = arq
        self.doorbell = ArqDoorbell(arq)
        self._directory = directory
        self._tenants: dict[ExecutionId, TenantId] = {}
        self._heard: dict[ExecutionId, list[Event]] = defaultdict(list)
        self._stirred = asyncio.Event()
        self.finished_in_order: list[ExecutionId] = []

    @asynccontextmanager
    async def running(self, *, only: Sequence[ExecutionId] | None = None, **settings: Any) -> AsyncGenerator[Engine]:
        """An engine at work; `settings` override what a test wants different."""
        usual: dict[str, Any] = {"data_dir": self._directory, "drain_seconds": 1.0, "db_pool_size": 4}
        chosen = Settings(**(usual | settings))
        options = EngineOptions(public_url=URL, only=only, allow=("127.0.0.1",), watch=self.hear)
        async with running_engine(
            database_url=self.dsn,
            redis_url=self.redis_url,
            master_keys=MasterKeys.of(MASTER_KEY),
            settings=chosen,
            options=options,
        ) as engine:
            yield engine

    def hear(self, appends: Sequence[Append]) -> None:
        for append in appends:
            self._heard[append.execution_id] += append.events
            if append.finished is not None:
                self.finished_in_order.append(append.execution_id)
        self._stirred.set()

    # Saying

    async def publish(
        self,
        definition: Definition,
        tenant: TenantId | None = None,
        *,
        name: str | None = None,
        stored: JSONObject | None = None,
    ) -> Published:
        """Store a workflow with one version, its active one, in a fresh tenant when none is given.

        `stored`: what stands in the version's row instead of the definition.
        """
        tenant = tenant or await make_tenant(self.pool)
        now = utc_now()
        version = Version(
            id=VersionId(uuid.uuid7()),
            workflow_id=WorkflowId(uuid.uuid7()),
            number=1,
            content_hash=content_hash(definition),
            definition=definition,
            created_at=now,
        )
        document = orjson.dumps(stored if stored is not None else definition_to_json(definition)).decode()
        connection: Any = await asyncpg.connect(self.dsn, server_settings={"role": "weir_app"})
        try:
            await connection.execute("SELECT set_config('weir.tenant', $1, false)", str(tenant))
            await connection.execute(
                """INSERT INTO workflow (id, tenant_id, name, description, category, tags, status, revision, draft,
                     listed, created_at, updated_at)
                   VALUES ($1, $2, $3, '', '', '{}', 'ACTIVE', 1, $4::text::jsonb, true, $5, $5)""",
                version.workflow_id,
                tenant,
                name or f"Flow {version.id.hex}",
                document,
                now,
            )
            await connection.execute(
                """INSERT INTO workflow_version
                     (id, tenant_id, workflow_id, number, content_hash, definition, note, created_at)
                   VALUES ($1, $2, $3, 1, $4, $5::text::jsonb, '', $6)""",
                version.id,
                tenant,
                version.workflow_id,
                version.content_hash,
                document,
                now,
            )
            await connection.execute(
                "UPDATE workflow SET active_version_id = $1 WHERE id = $2", version.id, version.workflow_id
            )
        finally:
            await connection.close()
        return Published(tenant_id=tenant, version=version)

    def prepared(
        self, published: Published, value: JSON = None, *, at: datetime | None = None, trial: Trial | None = None
    ) -> NewExecution:
        """An execution to be inserted, as if it were begun now, or `at` another time."""
        request = StartRequest(workflow_id=published.version.workflow_id, input=value, trial=trial)
        new = prepare(request, published.version, Origin(by="test"), ids=uuid.uuid7, now=at or utc_now())
        self._tenants[new.id] = published.tenant_id
        return new

    def knows(self, execution: ExecutionId, tenant: TenantId) -> None:
        """Messages can be posted to this execution too, which another one has begun."""
        self._tenants[execution] = tenant

    async def start_all(
        self, published: Published, values: Sequence[JSON], *, ring: bool = True, at: datetime | None = None
    ) -> list[ExecutionId]:
        """One execution for each input, in one commit."""
        return await self.insert(published, [self.prepared(published, value, at=at) for value in values], ring=ring)

    async def insert(
        self, published: Published, new: Sequence[NewExecution], *, ring: bool = True
    ) -> list[ExecutionId]:
        await PostgresStarts(self.pool).insert(published.tenant_id, new)
        ids = [each.id for each in new]
        if ring:
            await self.doorbell.ring(published.tenant_id, ids)
        return ids

    async def start(
        self, published: Published, value: JSON = None, *, ring: bool = True, at: datetime | None = None
    ) -> ExecutionId:
        (execution,) = await self.start_all(published, [value], ring=ring, at=at)
        return execution

    async def run(self, definition: Definition, value: JSON = None) -> ExecutionId:
        return await self.start(await self.publish(definition), value)

    async def post(
        self,
        execution: ExecutionId,
        kind: InboxKind,
        payload: JSONObject | None = None,
        *,
        key: str = "",
        ring: bool = True,
    ) -> Posted:
        """A message, and a ring so that it is heard at once."""
        tenant = self._tenants[execution]
        posted = await PostgresInbox(self.pool).post(
            tenant, execution, kind, key or f"{kind}:{uuid.uuid7().hex}", payload or {}
        )
        if ring:
            await self.doorbell.ring(tenant, [execution])
        return posted

    async def signal(
        self, execution: ExecutionId, name: str, payload: JSON = None, *, key: str = "", ring: bool = True
    ) -> Posted:
        message: JSONObject = {"name": name, "payload": payload}
        return await self.post(execution, InboxKind.SIGNAL, message, key=key or f"{name}:{uuid.uuid7().hex}", ring=ring)

    async def sweep(self) -> Swept:
        return await Sweeper(PostgresSweeping(self.pool), self.doorbell).once()

    # Hearing

    async def event(self, execution: ExecutionId, kind: EventKind, path: str | None = None, *, count: int = 1) -> Event:
        """The `count`th committed event of this kind (and path); fails after ten seconds."""

        def matching() -> list[Event]:
            return [each for each in self._heard[execution] if each.kind is kind and path in (None, each.path)]

        await self.heard(lambda: len(matching()) >= count)
        return matching()[count - 1]

    async def over(self, *executions: ExecutionId) -> None:
        """Return once these have ended."""
        await self.heard(lambda: all(self._is_over(execution) for execution in executions))

    async def heard(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds, asked again after every commit."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()

    def _is_over(self, execution: ExecutionId) -> bool:
        heard = self._heard[execution]
        return bool(heard) and heard[-1].kind in TERMINAL

    async def ending(self, execution: ExecutionId) -> Ending:
        """How the execution ended, once it has."""
        await self.over(execution)
        row = await self.pool.fetchrow(
            "SELECT status, output::text AS output, error::text AS error FROM execution WHERE id = $1", execution
        )
        assert row is not None
        error = orjson.loads(row["error"] or "{}")
        return Ending(
            status=row["status"],
            output=orjson.loads(row["output"] or "null"),
            code=error.get("code"),
            message=error.get("message"),
        )

    async def let_go(self, execution: ExecutionId, status: ExecutionStatus = ExecutionStatus.WAITING) -> None:
        """Return once nobody owns the execution and its row has this status."""
        await until(
            self.pool, "SELECT owner IS NULL AND status = $2 FROM execution WHERE id = $1", execution, status.value
        )

    async def lose(self, *executions: ExecutionId) -> None:
        """Whoever owns these has lost them: anybody may claim them."""
        lost = "UPDATE execution SET owner = NULL, wants_owner = true, epoch = epoch + 1 WHERE id = ANY ($1::uuid[])"
        await self.pool.execute(lost, list(executions))

    async def clock_passes(self, moment: str) -> None:
        """Return once this moment, in ISO 8601, is over."""
        await until(self.pool, "SELECT clock_timestamp() > $1::timestamptz", datetime.fromisoformat(moment))

    async def log(self, execution: ExecutionId) -> list[Event]:
        """What the log holds, in order."""
        rows = await self.pool.fetch(
            """SELECT seq, kind, at, epoch, node, path, attempt, payload::text AS payload FROM execution_event
               WHERE execution_id = $1 ORDER BY seq""",
            execution,
        )
        return [
            Event(
                seq=row["seq"],
                kind=EventKind(row["kind"]),
                at=row["at"],
                epoch=row["epoch"],
                node=row["node"],
                path=row["path"],
                attempt=row["attempt"],
                payload=orjson.loads(row["payload"]),
            )
            for row in rows
        ]

    async def trail(self, execution: ExecutionId) -> list[tuple[str, str | None]]:
        """(kind, path) of every event but the first and ADOPTED, in order."""
        left_out = (EventKind.EXECUTION_STARTED, EventKind.ADOPTED)
        return [(each.kind.value, each.path) for each in await self.log(execution) if each.kind not in left_out]
