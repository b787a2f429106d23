"""Changes when a check is added to what every change must pass."""

import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass

import click

from app.settings import PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check: its name, the arguments of Python, how to mend what it finds."""

    name: str
    arguments: tuple[str, ...]
    remedy: str


SKIPPED = 75
"""The exit status of a step that could not be taken, such as for lack of a network: EX_TEMPFAIL of sysexits.h."""

# import-linter has no `python -m`, and its script breaks when the environment is moved.
_LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
STEPS = (
    Step(name="format", arguments=("-m", "ruff", "format", "--check", "."), remedy="ruff format ."),
    Step(name="lint", arguments=("-m", "ruff", "check", "."), remedy="ruff check --fix ."),
    Step(name="types", arguments=("-m", "pyright"), remedy="pyright"),
    Step(name="import rules", arguments=("-c", _LINT_IMPORTS), remedy="docs/architecture.md has the picture"),
    Step(
        name="schema drift",
        arguments=("-m", "app.cli", "export-schema", "--check"),
        remedy="./weir export-schema, and look at the difference",
    ),
    Step(
        name="docs drift",
        arguments=("-m", "app.cli", "export-docs", "--check"),
        remedy="./weir export-docs, and look at the difference",
    ),
    Step(
        name="migrations drift",
        arguments=("-m", "app.cli", "migrate", "--check"),
        remedy="write the migration that the models ask for",
    ),
)
AUDIT = Step(
    name="dependencies",
    arguments=("-m", "app.dependency_audit"),
    remedy="raise what is named in pyproject.toml, then uv lock",
)
TESTS = Step(name="tests", arguments=("-m", "pytest", "-q"), remedy="./weir test --last-failed")

_WIDTH = max(len(step.name) for step in (*STEPS, AUDIT, TESTS)) + 2


@click.command()
@click.option("--fast", is_flag=True, help="Without the tests, and without a network.")
@click.pass_context
def check(ctx: click.Context, *, fast: bool) -> None:
    """Format, lint, types, import rules, schema and migrations drift, known vulnerabilities of dependencies, tests:
    what every change must pass."""
    steps = STEPS if fast else (*STEPS, AUDIT, TESTS)
    failed = [step for step in steps if not _passes(step)]
    if not failed:
        click.echo(f"{len(steps)} checks passed")
        return
    click.echo(f"{len(failed)} of {len(steps)} checks failed")
    for step in failed:
        click.echo(f"  {step.name}: {step.remedy}")
    ctx.exit(1)


def _passes(step: Step) -> bool:
    """Run it with a line of progress; what it says is shown when it fails, that of the tests as they run."""
    began = time.perf_counter()
    live = step is TESTS
    click.echo(f"{step.name:<{_WIDTH}}", nl=live)
    done = subprocess.run(
        [sys.executable, *step.arguments],
        cwd=PROJECT,
        stdout=None if live else subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    skipped = step is AUDIT and done.returncode == SKIPPED
    passed = done.returncode == 0
    lead = " " * _WIDTH if live else ""
    verdict = "ok" if passed else "skipped" if skipped else "FAILED"
    click.echo(f"{lead}{verdict}  {time.perf_counter() - began:.1f} s")
    if not passed and not live:
        click.echo(textwrap.indent(done.stdout.rstrip(), "    "))
    return passed or skipped
