"""User data against the user's JSON Schema (draft 2020-12)."""

from collections.abc import Mapping, Sequence
from typing import cast

from jsonschema import ValidationError

from domain.errors import Finding, Invalid
from domain.json import JSON
from domain.validation import bounded

MAX_FINDINGS = 100
_SHOWN = 300


class InvalidInput(Invalid):
    """A value does not fit its schema; all findings at once."""

    def __init__(self, findings: Sequence[Finding], name: str) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        message = f"The {name} does not fit its schema: {first.message}{more}"
        super().__init__(message, path=(name, *first.path), remedy=first.remedy)
        self.findings = tuple(findings)


def check_input(schema: JSON, value: JSON) -> list[Finding]:
    """What is wrong with `value`, at most 100 findings whose paths lead into it; no schema (None) allows anything.

    A schema that refers out of itself or takes too much work gives one finding, CANNOT_CHECK.
    """
    if schema is None or schema is True:
        return []
    try:
        found = bounded.errors(schema, value, MAX_FINDINGS)
    except bounded.CannotCheck as error:
        return [Finding(code="CANNOT_CHECK", message=str(error), remedy="Simplify the schema.")]
    return [_finding(error) for error in found]


def checked_input(schema: JSON, value: JSON, name: str = "input") -> JSON:
    """The value, when it fits; raises InvalidInput with all findings."""
    findings = check_input(schema, value)
    if findings:
        raise InvalidInput(findings, name)
    return value


def _finding(error: ValidationError) -> Finding:
    described = cast("Mapping[str, JSON] | bool", error.schema)
    text = described.get("description") if isinstance(described, Mapping) else None
    return Finding(
        code="DOES_NOT_FIT",
        message=worded(error),
        path=tuple(map(str, error.absolute_path)),
        remedy=text if isinstance(text, str) else None,
    )


def worded(error: ValidationError) -> str:
    """The error with the place it is about: `lines.0.price should be number, not "3"`."""
    where = ".".join(map(str, error.absolute_path)) or "It"
    text = error.message if len(error.message) <= _SHOWN else f"{error.message[:_SHOWN]}…"
    return f"{where} {text}" if text.startswith(_PREDICATES) else f"{where}: {text}"


_PREDICATES = ("should ", "is missing", "is no key", "holds ")
