"""Changes when `weir bench` takes another option or prints in another way."""

import sys
from pathlib import Path

import click

_WIDTH = 120
"""Columns of the table where there is no terminal to ask."""
MEASURES = ("raw", "throughput", "latency", "fairness", "statements", "memory", "deliveries", "validation")


@click.command()
@click.argument("names", metavar="[NAME]…", nargs=-1, type=click.Choice(MEASURES))
@click.option("--data-dir", type=click.Path(path_type=Path), help="Measure there. Default: a passing directory.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 60),
    default=5.0,
    show_default=True,
    help="How long a figure is measured.",
)
def bench(*, names: tuple[str, ...], data_dir: Path | None, as_json: bool, seconds: float) -> None:
    """Measure this machine and Weir on it: all, or what NAMEs say. Commits are durable; nothing outside is called."""
    from bench.report import as_object, table
    from bench.run import run

    report = run(names or MEASURES, data_dir=data_dir, seconds=seconds, say=_say)
    if as_json:
        import json

        click.echo(json.dumps(as_object(report), indent=2))
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else _WIDTH).print(table(report))


def _say(text: str) -> None:
    click.echo(text, err=True)
