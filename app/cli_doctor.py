"""Changes when what `weir doctor` prints changes."""

import asyncio
import dataclasses
import json
from pathlib import Path

import click

from app.diagnosis import Health
from app.doctor import examine
from app.settings import environment, page

_COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.PROBLEM: "red"}


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.option("--settings", "list_settings", is_flag=True, help="Print every setting (docs/settings.md) instead.")
@click.pass_context
def doctor(ctx: click.Context, *, data_dir: Path | None, as_json: bool, list_settings: bool) -> None:
    """Say what is there and what is wrong; changes nothing. Status 1 when something keeps Weir from starting."""
    if list_settings:
        click.echo(page(), nl=False)
        return
    found = asyncio.run(examine(environment(), data_dir))
    problems = [diagnosis for diagnosis in found if diagnosis.health is Health.PROBLEM]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(diagnosis) for diagnosis in found], indent=2))
        ctx.exit(1 if problems else 0)
    for diagnosis in found:
        mark = click.style(f"{diagnosis.health:<8}", fg=_COLOURS[diagnosis.health])
        click.echo(f"{mark} {diagnosis.name}: {diagnosis.found}")
        if diagnosis.remedy:
            click.echo(f"         → {diagnosis.remedy}")
    click.echo("Nothing keeps Weir from starting." if not problems else f"{len(problems)} to mend.")
    ctx.exit(1 if problems else 0)
