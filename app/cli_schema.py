"""`weir export-schema`: changes when the way the API's schema is handed out changes."""

import difflib
from pathlib import Path

import click

from app.settings import PROJECT

FILE = PROJECT / "schema.graphql"


@click.command("export-schema")
@click.option("--check", is_flag=True, help="Change nothing: is the file what the code serves?")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), default=FILE, help="Default: schema.graphql.")
@click.pass_context
def export_schema(ctx: click.Context, *, check: bool, file: Path) -> None:
    """Write the API's schema as SDL; with --check show what differs, and end with status 1 if anything does."""
    from schema.root import sdl

    served = sdl()
    if not check:
        file.write_text(served, encoding="utf-8")
        click.echo(f"wrote {file}")
        return
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    names = (file.name, "what the code serves")
    difference = list(difflib.unified_diff(written.splitlines(), served.splitlines(), *names, lineterm=""))
    for line in difference:
        click.echo(line)
    ctx.exit(1 if difference else 0)
