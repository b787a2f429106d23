"""Changes when the way the test suite is started changes."""

import os
import subprocess
import sys

import click

from app.settings import PROJECT

_MOST_WORKERS = 4
_ALONE = "tests/acceptance"
"""Tests that kill processes and wait for others to notice: nothing else runs beside them."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def test(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the test suite; ARGUMENTS are pytest's own. Without any, all of it, on every core where that is possible."""
    if arguments:
        ctx.exit(run_pytest(arguments))
    workers = str(min(os.cpu_count() or 1, _MOST_WORKERS))
    together = run_pytest(("--ignore", _ALONE, "--numprocesses", workers))
    ctx.exit(run_pytest((_ALONE,)) or together)


def run_pytest(arguments: tuple[str, ...]) -> int:
    """pytest's exit status; whatever the caller's directory, paths are relative to the project."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=PROJECT).returncode
