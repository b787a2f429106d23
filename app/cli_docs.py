"""`weir export-docs`: changes when a page of the documentation is made from the code."""

from collections.abc import Iterator
from pathlib import Path

import click

from app.settings import PROJECT

DOCS = PROJECT / "docs"


@click.command("export-docs")
@click.option("--check", is_flag=True, help="Change nothing: do the pages say what the code says?")
@click.pass_context
def export_docs(ctx: click.Context, *, check: bool) -> None:
    """Write the pages under docs/ that are made from the code; with --check name those that differ, with status 1."""
    differing = [(file, text) for file, text in generated() if not _says(file, text)]
    for file, text in differing:
        if not check:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        click.echo(f"{'differs:' if check else 'wrote'} {file.relative_to(PROJECT)}")
    for file in _superfluous():
        if not check:
            file.unlink()
        differing.append((file, ""))
        click.echo(f"{'nobody made' if check else 'removed'} {file.relative_to(PROJECT)}")
    ctx.exit(1 if check and differing else 0)


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated page and what it has to say."""
    from app.settings import page as settings_page
    from domain.expressions.functions import documentation as functions
    from jobs.connectors import PROVIDERS
    from jobs.connectors import documentation as connectors
    from jobs.nodes import documentation as nodes
    from jobs.nodes.catalog import CATALOG

    for name, text in nodes.pages(CATALOG).items():
        yield DOCS / "nodes" / name, text
    yield DOCS / "functions.md", functions.markdown()
    yield DOCS / "connectors.md", connectors.markdown(PROVIDERS)
    yield DOCS / "settings.md", settings_page()


def _says(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


def _superfluous() -> list[Path]:
    """Pages of node kinds that are no more."""
    wanted = {file for file, _ in generated()}
    return [file for file in sorted((DOCS / "nodes").glob("*.md")) if file not in wanted]
