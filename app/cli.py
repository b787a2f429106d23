"""Changes when a command is added or what the command line does with a refusal changes.

Each command lives in a file of its own and is imported only when it is called: start-up is felt.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command is (`module:function`) and its line in the overview."""

    target: str
    summary: str


COMMANDS = {
    "run": Entry(target="app.cli_run:run", summary="Run a workflow file and print its result."),
    "test-workflow": Entry(
        target="app.cli_cases:test_workflow", summary="Run the test cases of a workflow, or put load on it."
    ),
    "up": Entry(target="app.cli_up:up", summary="Start everything on this machine."),
    "serve": Entry(target="app.cli_up:serve", summary="The API process alone."),
    "worker": Entry(target="app.cli_up:worker", summary="A worker process alone."),
    "scheduler": Entry(target="app.cli_up:scheduler", summary="The scheduler process alone."),
    "migrate": Entry(target="app.cli_migrate:migrate", summary="Bring the database to the current schema."),
    "tenant-limits": Entry(target="app.cli_limits:tenant_limits", summary="Show or set what a tenant may use."),
    "keys": Entry(target="app.cli_keys:keys", summary="Show or replace the keys that encrypt secrets."),
    "audit": Entry(target="app.cli_audit:audit", summary="Verify the audit log, or sign it as it is now."),
    "export-schema": Entry(target="app.cli_schema:export_schema", summary="Write schema.graphql."),
    "export-docs": Entry(target="app.cli_docs:export_docs", summary="Write the pages that are made from the code."),
    "bench": Entry(target="app.cli_bench:bench", summary="Measure this machine."),
    "doctor": Entry(target="app.cli_doctor:doctor", summary="Say what is there and what is wrong."),
    "check": Entry(target="app.cli_check:check", summary="Format, lint, types, import rules, drift, tests."),
    "test": Entry(target="app.cli_test:test", summary="The test suite; takes pytest's arguments."),
}


class Refused(click.ClickException):
    """What was asked is not done; ends with status 2."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands are imported when they are called, and not to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, function = entry.target.partition(":")
        return getattr(importlib.import_module(module), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes its message, its remedy and exit status 2."""
        from domain.errors import Refusal

        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            from app.refusals import told

            raise Refused(told(refusal)) from refusal


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Weir runs workflows and streams for many tenants."""


if __name__ == "__main__":
    cli(prog_name="weir")
