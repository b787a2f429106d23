"""Known vulnerabilities of the installed packages, asked of PyPI by pip-audit: changes when they are asked elsewhere.

`python -m app.dependency_audit` ends with 0 when there are none, 1 when there are, and 75 when that cannot be told.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.util import find_spec

import click
import orjson

from domain.json import JSONObject, as_list, as_object

SECONDS = 180.0
"""How long all packages together may take."""
COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--vulnerability-service", "pypi", "--format", "json"),
    *("--progress-spinner", "off", "--timeout", "10", "--skip-editable"),
)


class Verdict(IntEnum):
    """The exit status."""

    NONE_KNOWN = 0
    VULNERABLE = 1
    UNKNOWN = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """`lines` are for people."""

    verdict: Verdict
    lines: tuple[str, ...]


def audit(command: Sequence[str] = COMMAND, *, seconds: float = SECONDS) -> Audit:
    """What the tool says; lack of the tool, of a network or of an answer is no verdict on the packages."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return _unknown(f"PyPI did not answer for all packages within {seconds:g} s")
    except OSError as error:
        return _unknown(f"pip-audit cannot be run: {error.strerror}")
    return told(done.stdout, done.stderr)


def told(output: str, errors: str = "") -> Audit:
    """What pip-audit's JSON says; none when it could not finish, which its status does not tell."""
    try:
        packages = [as_object(each) for each in as_list(as_object(orjson.loads(output)).get("dependencies"))]
    except orjson.JSONDecodeError:
        said = errors.strip().splitlines()
        return _unknown(said[-1][:300] if said else "pip-audit gave no report")
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        return _unknown("PyPI knows none of the packages")
    found = tuple(line for package in asked for line in _lines(package))
    left = len(packages) - len(asked)
    counted = f"{len(asked)} packages were looked up" + (f", {left} are not on PyPI" if left else "")
    return Audit(verdict=Verdict.VULNERABLE if found else Verdict.NONE_KNOWN, lines=(*found, counted))


def _lines(package: JSONObject) -> Iterable[str]:
    for vulnerability in map(as_object, as_list(package["vulns"])):
        fixes = ", ".join(str(version) for version in as_list(vulnerability.get("fix_versions")))
        remedy = f"mended in {fixes}" if fixes else "not mended yet"
        yield f"{package.get('name')} {package.get('version')}: {vulnerability.get('id')}, {remedy}"


def _unknown(why: str) -> Audit:
    return Audit(verdict=Verdict.UNKNOWN, lines=(f"Dependencies were not audited: {why}",))


def main() -> int:
    result = audit() if find_spec("pip_audit") else _unknown("pip-audit is not installed")
    click.echo("\n".join(result.lines))
    return result.verdict


if __name__ == "__main__":
    sys.exit(main())
