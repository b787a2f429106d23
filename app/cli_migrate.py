"""Changes when what `weir migrate` takes, asks or prints changes."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click


@click.command()
@click.option("--check", is_flag=True, help="Change nothing: do the migrations say all that the models say?")
@click.option("--pending", "list_pending", is_flag=True, help="Change nothing: name what would be applied.")
@click.option("--down", metavar="NAME", help="Go back to just after this migration; `zero` drops all tables.")
@click.option("--yes", is_flag=True, help="With --down: do not ask.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory of the embedded server.")
@click.pass_context
def migrate(
    ctx: click.Context, *, check: bool, list_pending: bool, down: str | None, yes: bool, data_dir: Path | None
) -> None:
    """Bring the database to the current schema. It may be called twice at once, and again: then it does nothing."""
    from db import migrate as migrations

    if check:
        missing = asyncio.run(migrations.drift())
        for operation in missing:
            click.echo(f"the models say, and no migration does: {operation}")
        ctx.exit(1 if missing else 0)
    with _database(data_dir) as dsn:
        if list_pending:
            _print(asyncio.run(migrations.pending(dsn)), "pending", "nothing is pending")
        elif down:
            if not yes:
                click.confirm("The data in the tables that go is lost. Go back?", abort=True)
            target = None if down == "zero" else down
            _print(asyncio.run(migrations.downgrade(dsn, target)), "taken back", "nothing to take back")
        else:
            _print(asyncio.run(migrations.migrate(dsn)), "applied", "the schema is current")


@contextmanager
def _database(data_dir: Path | None) -> Generator[str]:
    """The DSN of the server that the settings name, else of the embedded one, started for as long as it is needed."""
    from app.settings import Settings
    from app.stack import open_stack

    settings = Settings.load(data_dir=data_dir)
    if settings.database_url is not None:
        yield settings.database_url
        return
    with open_stack(settings, report=lambda text: click.echo(text, err=True)) as stack:
        yield stack.database_url


def _print(names: list[str], done: str, nothing: str) -> None:
    for name in names:
        click.echo(f"{done} {name}")
    if not names:
        click.echo(nothing)
