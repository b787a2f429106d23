"""Changes when what `weir audit` takes, prints or ends with changes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from db.connections import EnginePool
    from domain.audit import Checkpoint
    from domain.audit_chain import Seal
    from domain.tenancy import Tenant

    Work = Callable[[EnginePool, Seal, Sequence[Tenant]], Awaitable[bool]]

_TENANT = click.option("--tenant", metavar="SLUG", help="This tenant alone; all of them when left out.")
_DATA_DIR = click.option("--data-dir", type=click.Path(path_type=Path), help="The directory of the embedded server.")


@click.group()
def audit() -> None:
    """Look after the audit log."""


@audit.command()
@_TENANT
@click.option(
    "--kept",
    type=click.File(encoding="utf-8"),
    help="Lines of `weir audit checkpoint`, which hold even where the database has lost its own.",
)
@_DATA_DIR
@click.pass_context
def verify(ctx: click.Context, *, tenant: str | None, kept: IO[str] | None, data_dir: Path | None) -> None:
    """Say of every entry that was changed, deleted or moved where it is, and end with status 1 if there is one."""
    from app.audit_checkpoints import read

    checkpoints = [read(line) for line in kept or () if line.strip()]

    async def work(pool: "EnginePool", seal: "Seal", tenants: "Sequence[Tenant]") -> bool:
        return all([await _verified(pool, seal, each, checkpoints) for each in tenants])

    ctx.exit(0 if _with_tenants(data_dir, tenant, work) else 1)


@audit.command()
@_TENANT
@_DATA_DIR
def checkpoint(*, tenant: str | None, data_dir: Path | None) -> None:
    """Sign the log as it is now, and print a line to be kept elsewhere for `weir audit verify --kept`."""

    async def work(pool: "EnginePool", seal: "Seal", tenants: "Sequence[Tenant]") -> bool:
        from app.audit_checkpoints import written
        from app.clock import utc_now
        from db import audit_verify

        for each in tenants:
            made = await audit_verify.sign(pool, each.id, seal, utc_now)
            if made is not None:
                click.echo(written(made))
        return True

    _with_tenants(data_dir, tenant, work)


async def _verified(pool: "EnginePool", seal: "Seal", tenant: "Tenant", kept: "Sequence[Checkpoint]") -> bool:
    """Whether the tenant's log is as it was written; says what it found."""
    from db import audit_verify

    own = [each for each in kept if each.tenant_id == tenant.id]
    sound = True
    async for found in audit_verify.verify(pool, tenant.id, seal, own):
        if isinstance(found, int):
            click.echo(f"{tenant.slug}: {found} entries, {'as they were written' if sound else 'TAMPERED WITH'}")
        else:
            sound = False
            click.echo(f"{tenant.slug}: entry {found.seq}: {found.what}")
    return sound


def _with_tenants(data_dir: Path | None, slug: str | None, work: "Work") -> bool:
    """Raises NotFound for a slug that no tenant has."""
    from app.keyring import audit_seal
    from app.settings import Settings
    from app.stack import open_stack

    with open_stack(Settings.load(data_dir=data_dir), report=lambda text: click.echo(text, err=True)) as stack:
        return asyncio.run(_apply(stack.database_url, slug, audit_seal(stack.master_keys()), work))


async def _apply(dsn: str, slug: str | None, seal: "Seal", work: "Work") -> bool:
    from db import audit_verify
    from db.connections import engine_pool
    from db.identity import Tenants
    from domain.errors import NotFound

    pool = await engine_pool(dsn, 1)
    try:
        if slug is None:
            tenants = await Tenants(pool).by_ids(await audit_verify.tenants(pool))
        else:
            found = await Tenants(pool).by_slug(slug)
            if found is None:
                raise NotFound("tenant", slug)
            tenants = [found]
        return await work(pool, seal, tenants)
    finally:
        await pool.close()
