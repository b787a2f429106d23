"""Changes when the way the test suite is started changes."""

import subprocess
import sys

import click

from app.settings import PROJECT


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def test(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the test suite; ARGUMENTS are pytest's own."""
    ctx.exit(run_pytest(arguments))


def run_pytest(arguments: tuple[str, ...]) -> int:
    """pytest's exit status; whatever the caller's directory, paths are relative to the project."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=PROJECT).returncode
