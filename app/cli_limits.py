"""Changes when what `weir tenant-limits` takes or prints changes."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from domain.ids import TenantId
    from domain.limits import TenantLimits
    from domain.quotas import QuotaStore

_NONE = "none"
_DEFAULT = "default"


@click.command("tenant-limits")
@click.argument("tenant", metavar="SLUG")
@click.option(
    "--concurrency", metavar="N|none", help="Executions the tenant has under way at once; `none`: any number."
)
@click.option("--weight", type=int, help="Its share of busy workers, in shares of a tenant of weight 1: 1 to 100.")
@click.option(
    "--quota",
    "quotas",
    metavar="NAME=N|none|default",
    multiple=True,
    help="What it may have, such as WORKFLOWS=100, or ask for, such as RATE_KEY=600; again for another.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory of the embedded server.")
def tenant_limits(
    *, tenant: str, concurrency: str | None, weight: int | None, quotas: Sequence[str], data_dir: Path | None
) -> None:
    """Show, or set, what the tenant SLUG may use; concurrency and weight within a second, rates within five."""
    from app.settings import Settings
    from app.stack import open_stack

    most = None if concurrency in (None, _NONE) else _number(concurrency, "--concurrency")
    changes = dict(_quota(text) for text in quotas)
    with open_stack(Settings.load(data_dir=data_dir), report=lambda text: click.echo(text, err=True)) as stack:
        shown = asyncio.run(_apply(stack.database_url, tenant, concurrency is not None, most, weight, changes))
    click.echo(shown)


def _number(text: str, option: str) -> int:
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a whole number nor `{_NONE}`.", param_hint=option)
    return int(text)


def _quota(text: str) -> tuple[str, str]:
    """The name, and its number, `none` or `default`."""
    from domain.quotas import Quota, checked_maximum
    from domain.rates import Rate

    name, _, value = text.partition("=")
    known = [*Quota, *(rate.setting for rate in Rate if rate is not Rate.ADDRESS)]
    if name not in known:
        raise click.BadParameter(f"{name!r} is none of {', '.join(known)}.", param_hint="--quota")
    if value not in (_NONE, _DEFAULT):
        checked_maximum(name, _number(value, "--quota"))
    return name, value


async def _apply(
    dsn: str, slug: str, limited: bool, most: int | None, weight: int | None, quotas: Mapping[str, str]
) -> str:
    """Change what is given, if anything is, and say what holds then. Raises NotFound, Invalid."""
    from db.connections import engine_pool
    from db.identity import Tenants
    from db.limits import PostgresTenantLimits
    from db.quotas import PostgresQuotas
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
        own = await _set_quotas(PostgresQuotas(pool), found.id, quotas)
    finally:
        await pool.close()
    return "\n".join([*_limits_shown(current), *(f"{name}: {_shown(own[name])}" for name in sorted(own))])


async def _set_quotas(
    store: "QuotaStore", tenant_id: "TenantId", quotas: Mapping[str, str]
) -> Mapping[str, int | None]:
    """What was set for the tenant, after these changes."""
    for name, value in quotas.items():
        if value == _DEFAULT:
            await store.reset(tenant_id, name)
        else:
            await store.put(tenant_id, name, None if value == _NONE else int(value))
    return await store.of(tenant_id)


def _limits_shown(limits: "TenantLimits | None") -> Sequence[str]:
    if limits is None:
        return ["concurrency: the default (WEIR_TENANT_CONCURRENCY)", "weight: 1"]
    return [f"concurrency: {limits.max_concurrent or _NONE}", f"weight: {limits.weight}"]


def _shown(maximum: int | None) -> str:
    return _NONE if maximum is None else str(maximum)
