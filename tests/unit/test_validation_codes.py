"""The codes of findings: every one is declared, and the page about them says what they say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Finding, ValidationLevel
from domain.validation.codes import CODES, FindingCode, found
from domain.validation.documentation import markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.md"
DECLARING = {"found", "_at", "_private"}
"""Calls that take level and severity from the declaration."""
PLAIN = {"Finding", "_warning", "_missing", "invalid"}
SOURCES = [
    *(ROOT / "domain" / "validation").glob("*.py"),
    *(ROOT / "jobs" / "nodes").glob("*.py"),
    ROOT / "domain" / "connections_used.py",
    ROOT / "domain" / "workflows_import.py",
]
STATEMENTS = ROOT / "jobs" / "databases" / "statements.py"
OF_VALUES = {"CANNOT_CHECK", "DOES_NOT_FIT", "NOT_JSON"}
"""Codes of findings about values, not about workflows."""


def made_in(source: Path, makers: set[str]) -> Iterator[str]:
    """The codes that stand in calls of these makers, and, of those declared, in tuples that are given to them."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            given = [*node.args[:3], *(each.value for each in node.keywords if each.arg == "code")]
            if name in makers:
                yield from (str(each.value) for each in given if isinstance(each, ast.Constant) and is_code(each.value))
        elif isinstance(node, ast.Tuple) and node.elts and isinstance(node.elts[0], ast.Constant):
            code = node.elts[0].value
            if makers & DECLARING and code in CODES:
                yield str(code)


def is_code(value: object) -> bool:
    return isinstance(value, str) and value.isupper() and len(value) > 3 and value.replace("_", "").isalpha()


def test_every_code_that_is_found_is_declared_and_every_declared_one_is_found() -> None:
    plain = {code for source in SOURCES for code in made_in(source, PLAIN)}
    declaring = {code for source in SOURCES for code in made_in(source, DECLARING)}
    made = plain | declaring | set(made_in(STATEMENTS, {"DatabaseFailed"}))

    assert made - OF_VALUES - set(CODES) == set(), "declare it in domain/validation/codes/"
    assert set(CODES) - made == set(), "nobody finds it any more"
    assert {code for code in plain - OF_VALUES if CODES[code].level is not ValidationLevel.STRUCTURAL} == set()


def test_the_page_about_validation_says_what_the_codes_say() -> None:
    assert PAGE.read_text() == markdown(), "write domain.validation.documentation.markdown() to docs/validation.md"


@pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.code)
def test_every_code_says_what_it_means_and_what_to_do(code: FindingCode) -> None:
    assert code.code.isupper()
    assert code.meaning.endswith(".")
    assert code.remedy.endswith((".", "?"))
    assert code.severities


def test_a_finding_takes_from_its_code_what_is_not_said() -> None:
    assert found("UNKNOWN_FIELD", "There is no 'a'", node_id="n", path=("config",)) == Finding(
        severity=CODES["UNKNOWN_FIELD"].severities[0],
        level=ValidationLevel.SEMANTIC,
        code="UNKNOWN_FIELD",
        message="There is no 'a'",
        node_id="n",
        path=("config",),
        remedy=CODES["UNKNOWN_FIELD"].remedy,
    )
