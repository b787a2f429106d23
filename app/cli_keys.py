"""Changes when what `weir keys` takes or prints changes."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from app.keys import Report, Shown

_DATA_DIR = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="The data directory of the embedded server."
)


@click.group()
def keys() -> None:
    """Show or replace the keys that encrypt secrets.

    Master keys wrap one data key per tenant, and that one encrypts the tenant's secrets.
    """


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@_DATA_DIR
@click.pass_context
def list_keys(ctx: click.Context, *, as_json: bool, data_dir: Path | None) -> None:
    """The master keys, and how many data keys each has wrapped. Ends with 1 when one is needed and not known."""
    from app.keys import shown
    from app.settings import Settings
    from app.stack import open_stack

    with open_stack(Settings.load(data_dir=data_dir), report=_say) as stack:
        found = asyncio.run(shown(stack))
    if as_json:
        import json

        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        _print(found)
    ctx.exit(1 if any(not key.known for key in found.keys) else 0)


@keys.command()
@click.option("--data-keys", is_flag=True, help="A new data key for every tenant; every secret is encrypted anew.")
@_DATA_DIR
@click.pass_context
def rotate(ctx: click.Context, *, data_keys: bool, data_dir: Path | None) -> None:
    """Replace the master key: every tenant's data key is wrapped by the current one.

    Where the master keys are in a file, a new one becomes the current one. Where they are in the environment, the
    current one is WEIR_MASTER_KEY; the others are WEIR_MASTER_KEYS_OTHER. Nothing has to be stopped meanwhile.
    Interrupted, it goes on when it is called again.

    Ends with 0 when all is done, 1 when something could not be decrypted and is as it was, 2 when it is refused.
    """
    from app.keys import renew_data_keys, rotate_master_key
    from app.settings import Settings
    from app.stack import open_stack

    with open_stack(Settings.load(data_dir=data_dir), report=_say) as stack:
        report: Report = asyncio.run((renew_data_keys if data_keys else rotate_master_key)(stack, _say, _progress))
    click.echo(report.said)
    for line in report.lost:
        click.echo(f"cannot be decrypted: {line}", err=True)
    ctx.exit(1 if report.lost else 0)


def _print(found: "Shown") -> None:
    for key in found.keys:
        role = "current" if key.current else "other" if key.known else "UNKNOWN"
        click.echo(f"{key.id}  {role:<8}  {key.kind:<7}  wraps {key.data_keys} data keys")
    if found.stale:
        click.echo(f"{found.stale} secrets wait for a newer data key: `weir keys rotate --data-keys` goes on")
    if any(not key.known for key in found.keys):
        click.echo("What an unknown key has wrapped cannot be decrypted: give it in WEIR_MASTER_KEYS_OTHER.", err=True)


def _progress(what: str, done: int, total: int) -> None:
    """On a terminal one line that counts; elsewhere a line per thousand, and the last."""
    text = f"{what}: {done} of {total}"
    if sys.stderr.isatty():
        click.echo(f"\r{text}", err=True, nl=done == total)
    elif done == total or done % 1_000 == 0:
        click.echo(text, err=True)


def _say(text: str) -> None:
    click.echo(text, err=True)
