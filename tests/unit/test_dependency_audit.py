"""Vulnerable dependencies fail the check; what cannot be told fails nothing and is said plainly."""

import json
import sys

import pytest

from app.dependency_audit import Audit, Verdict, audit, told
from domain.json import JSONObject

REPORT: JSONObject = {
    "dependencies": [
        {"name": "safe", "version": "1.0", "vulns": []},
        {
            "name": "flask",
            "version": "0.5",
            "vulns": [
                {"id": "PYSEC-2019-179", "fix_versions": ["1.0"], "aliases": [], "description": "…"},
                {"id": "PYSEC-2018-66", "fix_versions": [], "aliases": [], "description": "…"},
            ],
        },
        {"name": "ours", "skip_reason": "Dependency not found on PyPI"},
    ],
    "fixes": [],
}
"""As pip-audit's documentation shows it."""


def test_a_known_vulnerability_is_named_with_what_mends_it() -> None:
    assert told(json.dumps(REPORT)) == Audit(
        verdict=Verdict.VULNERABLE,
        lines=(
            "flask 0.5: PYSEC-2019-179, mended in 1.0",
            "flask 0.5: PYSEC-2018-66, not mended yet",
            "2 packages were looked up, 1 are not on PyPI",
        ),
    )


def test_packages_without_one_pass() -> None:
    clean: JSONObject = {"dependencies": [{"name": "safe", "version": "1.0", "vulns": []}], "fixes": []}

    assert told(json.dumps(clean)) == Audit(verdict=Verdict.NONE_KNOWN, lines=("1 packages were looked up",))


@pytest.mark.parametrize(
    ("output", "errors", "why"),
    [
        ("", "WARNING: x\nERROR: could not connect to PyPI\n", "ERROR: could not connect to PyPI"),
        ("", "", "pip-audit gave no report"),
        ('{"dependencies": [{"name": "x", "skip_reason": "not found"}]}', "", "PyPI knows none of the packages"),
    ],
)  # fmt: skip
def test_without_an_answer_nothing_is_told_of_the_packages(output: str, errors: str, why: str) -> None:
    expected = (f"Dependencies were not audited: {why}",)
    assert told(output, errors) == Audit(verdict=Verdict.UNKNOWN, lines=expected)


def test_a_tool_that_hangs_or_is_missing_fails_nothing() -> None:
    hanging = (sys.executable, "-c", "import threading; threading.Event().wait()")

    assert audit(hanging, seconds=0.2).verdict is Verdict.UNKNOWN
    assert audit(("/nowhere/pip-audit",)).verdict is Verdict.UNKNOWN


def test_the_tools_own_words_and_status_are_read() -> None:
    speaking = (sys.executable, "-c", f"import sys; print({json.dumps(REPORT)!r}); sys.exit(1)")
    failing = (sys.executable, "-c", "import sys; sys.exit('no network')")

    assert audit(speaking).verdict is Verdict.VULNERABLE
    assert audit(failing).lines == ("Dependencies were not audited: no network",)
