"""`weir export-schema`, and that GraphiQL's examples are operations of the schema that it writes."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from graphql import build_schema, parse, validate

from app.cli import cli
from app.cli_schema import FILE
from app.graphiql import EXAMPLES, Example
from schema.root import sdl


def test_the_schema_that_is_kept_is_the_one_that_is_served() -> None:
    result = CliRunner().invoke(cli, ["export-schema", "--check"])

    assert (result.exit_code, result.output) == (0, "")


def test_what_is_exported_passes_the_check_and_is_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"

    exported = CliRunner().invoke(cli, ["export-schema", "--file", str(file)])
    checked = CliRunner().invoke(cli, ["export-schema", "--check", "--file", str(file)])

    assert (exported.exit_code, exported.output) == (0, f"wrote {file}\n")
    assert file.read_text(encoding="utf-8") == sdl()
    assert (checked.exit_code, checked.output) == (0, "")


def test_a_difference_is_shown_and_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    old = sdl().replace("  viewer: Viewer!\n", "  viewer: Viewer\n")
    file.write_text(old, encoding="utf-8")

    result = CliRunner().invoke(cli, ["export-schema", "--check", "--file", str(file)])

    assert result.exit_code == 1
    assert "\n-  viewer: Viewer\n+  viewer: Viewer!\n" in result.output
    assert file.read_text(encoding="utf-8") == old


def test_a_missing_file_differs(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["export-schema", "--check", "--file", str(tmp_path / "none.graphql")])

    assert result.exit_code == 1


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.query.split("{")[0].split()[-1])
def test_an_example_of_graphiql_is_valid(example: Example) -> None:
    schema = build_schema(FILE.read_text(encoding="utf-8"))

    assert [error.message for error in validate(schema, parse(example.query))] == []
