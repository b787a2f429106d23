"""Every code a finding about a workflow may have: its level, how grave it is, what it means, what to do."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from domain.errors import Finding, Severity
from domain.validation.codes.code import FindingCode
from domain.validation.codes.performance import PERFORMANCE
from domain.validation.codes.security import SECURITY
from domain.validation.codes.semantic import SEMANTIC
from domain.validation.codes.structural import STRUCTURAL

__all__ = ["CODES", "FindingCode", "found"]

CODES: Mapping[str, FindingCode] = MappingProxyType(
    {each.code: each for each in (*STRUCTURAL, *SEMANTIC, *PERFORMANCE, *SECURITY)}
)


def found(
    code: str,
    message: str,
    *,
    node_id: str | None = None,
    path: Sequence[str] = (),
    remedy: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding of this code, which says what is not given: its level, its severity and what to do."""
    known = CODES[code]
    return Finding(
        severity=severity or known.severities[0],
        level=known.level,
        code=code,
        message=message,
        node_id=node_id,
        path=tuple(path),
        remedy=remedy or known.remedy,
    )
