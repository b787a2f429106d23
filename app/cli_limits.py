"""Changes when what `weir tenant-limits` takes or prints changes."""

import asyncio
from pathlib import Path

import click

_NONE = "none"


@click.command("tenant-limits")
@click.argument("tenant", metavar="SLUG")
@click.option(
    "--concurrency", metavar="N|none", help="Executions the tenant has under way at once; `none`: any number."
)
@click.option("--weight", type=int, help="Its share of busy workers, in shares of a tenant of weight 1: 1 to 100.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory of the embedded server.")
def tenant_limits(*, tenant: str, concurrency: str | None, weight: int | None, data_dir: Path | None) -> None:
    """Show, or set, what the tenant SLUG may use; effective within a second, also for what waits already."""
    from app.settings import Settings
    from app.stack import open_stack

    most = None if concurrency in (None, _NONE) else _number(concurrency)
    with open_stack(Settings.load(data_dir=data_dir), report=lambda text: click.echo(text, err=True)) as stack:
        shown = asyncio.run(_apply(stack.database_url, tenant, concurrency is not None, most, weight))
    click.echo(shown)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a whole number nor `{_NONE}`.", param_hint="--concurrency")
    return int(text)


async def _apply(dsn: str, slug: str, limited: bool, most: int | None, weight: int | None) -> str:
    """Change what is given, if anything is, and say what holds then. Raises NotFound, Invalid."""
    from db.connections import engine_pool
    from db.identity import Tenants
    from db.limits import PostgresTenantLimits
    from domain.errors import NotFound
    from domain.limits import TenantLimits, checked_limits

    pool = await engine_pool(dsn, 1)
    try:
        found = await Tenants(pool).by_slug(slug)
        if found is None:
            raise NotFound("tenant", slug)
        store = PostgresTenantLimits(pool)
        current = await store.get(found.id)
        if limited or weight is not None:
            old = current or TenantLimits()
            current = checked_limits(
                TenantLimits(
                    max_concurrent=most if limited else old.max_concurrent,
                    weight=old.weight if weight is None else weight,
                )
            )
            await store.put(found.id, current)
    finally:
        await pool.close()
    if current is None:
        return "concurrency: the default (WEIR_TENANT_CONCURRENCY)\nweight: 1"
    return f"concurrency: {current.max_concurrent or _NONE}\nweight: {current.weight}"
