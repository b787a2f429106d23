"""Changes when migrations are run, or compared with the models, in another way.

A whole run is one transaction on one connection: schema changes, Tortoise's record of them and the lock that keeps
other processes out. A process that dies leaves nothing half done. A migration that must run outside a transaction
(CREATE INDEX CONCURRENTLY) needs a runner of its own.
"""

import logging
import pkgutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from tortoise.apps import Apps
from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.operations import AlterModelOptions
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.transactions import in_transaction

from db import migrations, partitions, roles
from db.connections import APPS, Connection, tortoise_config
from domain.errors import Invalid

APP = "weir"
HEAD = "__latest__"
ZERO = "__first__"
_LOCK = 0x7765_6972_0001  # "weir", 1: one migration at a time

logger = logging.getLogger(__name__)


class _State(State):
    """What the models are after a migration. None of our operations looks at what they were before it, so that is not
    kept: to copy all models for each operation took most of a migration's time.
    """

    def clone(self) -> State:
        return self


class _Executor(MigrationExecutor):
    async def _project_state(self, *args: Any, **kwargs: Any) -> State:
        state = await super()._project_state(*args, **kwargs)
        return _State(models=state.models, apps=state.apps)


class UnknownMigration(Invalid):
    """No migration has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no migration {name!r}", remedy=f"There are {', '.join(known)}.")


async def migrate(dsn: str, target: str | None = None) -> list[str]:
    """Bring the database up to `target` (a migration's name) or to the newest; gives the names of those applied.

    Makes the roles and the partitions of the coming months too. Safe while others do the same. Raises RolesMissing,
    UnknownMigration; ValueError for a target that is behind (`downgrade` goes back).
    """
    _check(target)
    connection: Connection = await asyncpg.connect(dsn)
    try:
        await roles.ensure(connection)
        applied = await _run(dsn, target or HEAD, direction="forward")
        if await connection.fetchval("SELECT to_regclass('execution_event') IS NOT NULL"):
            await partitions.ensure_ahead(connection)
        return applied
    finally:
        await connection.close()


async def downgrade(dsn: str, target: str | None = None) -> list[str]:
    """Go back to just after `target`, or to an empty database; gives the names of those taken back, newest first.

    The data in the dropped tables is lost. The roles stay: they belong to the cluster. Raises UnknownMigration.
    """
    _check(target)
    return await _run(dsn, target or ZERO, direction="backward")


async def pending(dsn: str) -> list[str]:
    """The migrations that `migrate` would apply, in order."""
    async with _tortoise(dsn) as context:
        plan = await MigrationExecutor(context.connections.get("default"), APPS).plan()
        return [step.migration.name for step in plan if not step.backward]


async def drift() -> list[str]:
    """What the models say and the migrations do not, as operations in words; empty when they agree. Needs no server."""
    async with _tortoise("") as context:
        written = await MigrationAutodetector(cast("Apps", context.apps), APPS).changes()
        return [
            operation.describe()
            for migration in written
            for operation in migration.operations
            if not isinstance(operation, AlterModelOptions)  # a docstring: Tortoise takes it for a table's comment
        ]


def _check(target: str | None) -> None:
    names = [module.name for module in pkgutil.iter_modules(migrations.__path__) if module.name[0] != "_"]
    if target is not None and target not in names:
        raise UnknownMigration(target, names)


async def _run(dsn: str, target: str, *, direction: str) -> list[str]:
    changed: list[str] = []

    def note(event: str, _app: str, name: str) -> None:
        if event.endswith("_done"):
            logger.info("migration %s: %s", event.removesuffix("_done"), name)
            changed.append(name)

    async with _tortoise(dsn), in_transaction() as transaction:
        await transaction.execute_script(f"SELECT pg_advisory_xact_lock({_LOCK})")
        # The executor would make its record of applied migrations only after a first look at it, which would fail.
        recorder: Any = MigrationRecorder(transaction)
        await recorder.ensure_schema(AsyncpgSchemaEditor(transaction, atomic=False))
        await _Executor(transaction, APPS).migrate([MigrationTarget(APP, target)], direction=direction, progress=note)
    return changed


@asynccontextmanager
async def _tortoise(dsn: str) -> AsyncGenerator[TortoiseContext]:
    """Tortoise for this task alone, beside the one that the process may use, connected as the login itself."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(dsn, size=1, role=None))
        yield context
