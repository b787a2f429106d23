"""The command line as a whole: its overview, its answers to what it does not know, what it imports."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.cli import COMMANDS, Entry, cli
from app.settings import PROJECT, page
from domain.errors import Invalid


def test_the_overview_lists_every_command_without_importing_one() -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app.cli", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )

    commands = listing.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in commands] == list(COMMANDS)
    imported = {line.split("|")[-1].strip() for line in listing.stderr.splitlines()}
    assert imported.isdisjoint({"pydantic", "asyncpg", "redis", "strawberry", "app.settings"})


@click.command()
def refuse() -> None:
    raise Invalid("The door is shut", remedy="Knock.")


def test_a_refusal_is_its_message_and_its_remedy_and_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "refuse", Entry(target=f"{__name__}:refuse", summary=""))

    result = CliRunner().invoke(cli, ["refuse"])

    assert (result.exit_code, result.output) == (2, "Error: The door is shut\nKnock.\n")


def test_an_unknown_command_is_told() -> None:
    result = CliRunner().invoke(cli, ["nonsense"])

    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.output


def test_the_doctor_prints_the_settings() -> None:
    result = CliRunner().invoke(cli, ["doctor", "--settings"])

    assert (result.exit_code, result.output) == (0, page())


def test_the_doctor_speaks_json_and_ends_with_1_when_something_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    result = CliRunner().invoke(cli, ["doctor", "--json", "--data-dir", str(file)])

    assert result.exit_code == 1
    assert {
        "name": "data directory",
        "found": f"{file} is no directory",
        "health": "problem",
        "remedy": "Choose another with --data-dir or WEIR_DATA_DIR, or give it to this user.",
    } in json.loads(result.output)
